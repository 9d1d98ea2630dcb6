//! The gallery: the pictures, sorted by score, each beside its map and its mask.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::confusion::Verdict;
use crate::report::{Image, Images, Picture, Region, Report, Truth};
use crate::template::{fill, unknown};
use crate::text::Text;
use crate::{base64, number, plot};

const GALLERY: &str = include_str!("../assets/gallery.html");
const ENTRY: &str = include_str!("../assets/entry.html");
/// Largest number of regions whose boxes are listed for one picture.
const LISTED: usize = 10;

/// Writes every picture of `report`, with the pixels that `images` gives for it.
pub(crate) fn write<W: Write>(
    out: &mut W,
    report: &Report,
    images: &mut impl FnMut(usize, usize) -> io::Result<Images>,
) -> io::Result<()> {
    if report.pictures.is_empty() {
        return write!(out, "<p>No picture was judged.</p>");
    }
    let mut order: Vec<usize> = (0..report.pictures.len()).collect();
    order.sort_by(|a, b| report.pictures[*b].score.total_cmp(&report.pictures[*a].score));
    fill(out, GALLERY, |out, name| match name {
        "count" => write!(out, "{}", report.pictures.len()),
        "threshold" => match report.threshold {
            Some(threshold) => write!(out, "{}", number::score(threshold)),
            None => write!(out, "none"),
        },
        "classes" => {
            let names: BTreeSet<&str> =
                report.pictures.iter().map(|picture| picture.class.as_str()).collect();
            names.iter().try_for_each(|name| write!(out, "<option value=\"{0}\">{0}</option>", Text(name)))
        }
        "legend" => match &report.map_scale {
            Some(scale) => write!(
                out,
                "<figure class=\"legend\">{}<figcaption>Colours of the maps, the same for all.</figcaption></figure>",
                plot::legend(scale)
            ),
            None => Ok(()),
        },
        "entries" => order.iter().try_for_each(|index| {
            entry(out, &report.pictures[*index], report.threshold, &mut |view| images(*index, view))
        }),
        other => unknown(other),
    })
}

fn entry<W: Write>(
    out: &mut W,
    picture: &Picture,
    threshold: Option<f64>,
    images: &mut impl FnMut(usize) -> io::Result<Images>,
) -> io::Result<()> {
    let (truth, kind) = match picture.truth {
        Truth::Good => ("good", "good"),
        Truth::Defect => ("defect", "with a defect"),
    };
    fill(out, ENTRY, |out, name| match name {
        "exact score" => write!(out, "{}", picture.score),
        "score" => write!(out, "{}", number::score(picture.score)),
        "truth" => write!(out, "{truth}"),
        "kind" if picture.class == kind => Ok(()),
        "kind" => write!(out, ", {kind}"),
        "class" => write!(out, "{}", Text(&picture.class)),
        "verdict" => write!(out, "{}", Verdict::on(picture, threshold).name()),
        "path" => write!(out, "{}", Text(&picture.path)),
        "p-value" => match picture.p_value {
            Some(value) => write!(out, ", p = {}", number::probability(value)),
            None => Ok(()),
        },
        "remark" => match &picture.remark {
            Some(remark) => write!(out, "<p class=\"remark\">{}</p>", Text(remark)),
            None => Ok(()),
        },
        "regions" => regions(out, &picture.regions),
        "panels" => {
            let no_mask = match picture.truth {
                Truth::Good => "nothing to mark",
                Truth::Defect => "no mask",
            };
            let names: Vec<String> = match picture.views.as_slice() {
                [] => vec![String::new()],
                views => views.iter().map(|view| format!("{view}: ")).collect(),
            };
            names.iter().enumerate().try_for_each(|(view, name)| {
                let Images { picture: itself, map, mask } = images(view)?;
                panel(out, &format!("{name}picture"), &itself, picture, "no picture")?;
                panel(out, &format!("{name}map"), &map, picture, "no map")?;
                panel(out, &format!("{name}mask"), &mask, picture, no_mask)
            })
        }
        other => unknown(other),
    })
}

/// Writes the boxes of the strongest regions, folded away.
fn regions(out: &mut impl Write, regions: &[Region]) -> io::Result<()> {
    if regions.is_empty() {
        return Ok(());
    }
    let plural = if regions.len() == 1 { "" } else { "s" };
    write!(
        out,
        "<details><summary>{} region{plural} above the pixel threshold</summary><ol>",
        regions.len()
    )?;
    for Region { corner: [x, y], size: [width, height], area, peak } in regions.iter().take(LISTED) {
        let peak = number::score(*peak);
        write!(out, "<li>{width} × {height} at {x}, {y}: {area} pixels, peak {peak}</li>")?;
    }
    write!(out, "</ol>")?;
    if let Some(more) = regions.len().checked_sub(LISTED).filter(|more| *more > 0) {
        write!(out, "<p>and {more} weaker</p>")?;
    }
    write!(out, "</details>")
}

fn panel(
    out: &mut impl Write,
    name: &str,
    image: &Option<Image>,
    picture: &Picture,
    without: &str,
) -> io::Result<()> {
    let Some(image) = image else {
        return write!(
            out,
            "<figure class=\"without\"><div>{without}</div><figcaption>{}</figcaption></figure>",
            Text(name)
        );
    };
    write!(
        out,
        "<figure><img loading=\"lazy\" decoding=\"async\" width=\"{}\" height=\"{}\" alt=\"{} of {}\" src=\"data:{};base64,",
        image.width,
        image.height,
        Text(name),
        Text(&picture.path),
        image.format.media_type()
    )?;
    base64::write(out, &image.bytes)?;
    write!(out, "\"><figcaption>{}</figcaption></figure>", Text(name))
}
