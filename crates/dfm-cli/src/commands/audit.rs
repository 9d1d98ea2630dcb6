//! `dfm audit`: which pictures of a fit look unlike the others.

use std::collections::HashMap;
use std::io::Write;

use anyhow::Context;
use dfm::{Audit, AuditedPicture, OddPicture, counted};
use serde_json::json;

use crate::flags::{AuditFlags, ReportFormat};
use crate::messages::Messages;
use crate::report::plain;
use crate::report::table::{self, Align, Table};
use crate::{Outcome, args, output};

/// Runs the command: `Failed` if pictures cannot be judged, `Anomalous` if a picture stands out, listed or not.
pub(crate) fn run(flags: &AuditFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    let workers = args::workers(&flags.model.compute);
    let model = args::model(&flags.model, args::Purpose::Anything, &workers)?;
    let audit = workers.run(|| model.audit())?.with_context(|| flags.model.path.display().to_string())?;
    let mut out = output::stdout();
    match flags.format {
        ReportFormat::Json => {
            let listed = &audit.pictures[..flags.top.min(audit.pictures.len())];
            let report = json!({
                "pictures": audit.pictures.len(),
                "standing_out": audit.standing_out,
                "fence": audit.fence,
                "worst": listed,
                "left_out": audit.left_out,
                "not_judged": audit.not_judged,
                "not_searched": audit.not_searched,
            });
            writeln!(out, "{report}")?;
        }
        ReportFormat::Table => print(&audit, flags.top, &mut out)?,
    }
    if audit.not_judged > 0 {
        messages.error(
            &flags.model.path,
            format_args!(
                "the audit cannot judge {}, because memory did not suffice for an exact fit: a foreign picture may be \
                 among them; fit again with more memory (--max-memory), or with fewer pictures",
                counted(audit.not_judged, "picture")
            ),
        );
    }
    Ok(messages.outcome(if audit.standing_out > 0 { Outcome::Anomalous } else { Outcome::Success }))
}

/// The list for people.
fn print(audit: &Audit, top: usize, out: &mut impl Write) -> anyhow::Result<()> {
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for name in audit.pictures.iter().filter_map(|picture| picture.name.as_deref()) {
        *uses.entry(name).or_default() += 1;
    }
    let mut table = Table::new(&[
        ("p-value", Align::Right),
        ("score", Align::Right),
        ("", Align::Left),
        ("picture", Align::Left),
    ]);
    for AuditedPicture { name, content_hash, score, p_value, stands_out, .. } in
        audit.pictures.iter().take(top)
    {
        // What `dfm forget` takes: a name that says which picture, or the hash.
        let shown = name.as_deref().filter(|name| uses[name] == 1 && plain(name) == *name);
        let mark = if *stands_out { "stands out" } else { "" };
        let shown = shown.unwrap_or(content_hash).to_owned();
        table.push([format!("{p_value:.4}"), table::score(*score), mark.to_owned(), shown]);
    }
    table.write(out)?;
    writeln!(out)?;
    writeln!(
        out,
        "{} of {} {}, with scores above {}; one picture always has the smallest p-value.",
        audit.standing_out,
        counted(audit.pictures.len(), "picture"),
        if audit.standing_out == 1 { "stands out" } else { "stand out" },
        table::score(audit.fence)
    )?;
    if let Some(not_searched) = audit.not_searched {
        writeln!(out, "At the fit, {not_searched}.")?;
    }
    if !audit.left_out.is_empty() {
        let count: usize = audit.left_out.iter().map(|picture| picture.copies).sum();
        writeln!(out, "The fit left out {count} as foreign to the others:")?;
        for OddPicture { name, content_hash, score, copies, .. } in &audit.left_out {
            let shown = name.as_deref().unwrap_or(content_hash);
            let times = if *copies > 1 { format!(" ({copies} times)") } else { String::new() };
            writeln!(out, "  {}  {}{times}", table::score(*score), plain(shown))?;
        }
        writeln!(out, "dfm update --include-left-out learns those that it is given.")?;
    }
    if audit.standing_out > 0 {
        writeln!(out, "Look at them; dfm forget takes out what should not be there.")?;
    }
    Ok(())
}
