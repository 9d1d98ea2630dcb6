//! Pages in headless Chromium, as a reader's browser would show them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Chromium, if this machine has it.
pub struct Browser {
    executable: &'static str,
}

/// What a page became.
#[derive(Debug)]
pub struct Loaded {
    /// The document after its scripts ran.
    pub dom: String,
    /// What the page made the console say; nothing, if all is well.
    pub console: Vec<String>,
    /// What the probe found.
    pub found: Value,
}

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// Milliseconds of the page's own clock, which runs as fast as the page lets it.
const PATIENCE: &str = "--virtual-time-budget=20000";
/// Starts the findings in the document; their text is JSON.
const MARK: &str = "<pre id=\"probe-findings\">";

impl Browser {
    /// The first Chromium of this machine; without one, a line that says what was not
    /// tested.
    ///
    /// # Panics
    ///
    /// If there is none, and the environment's `DFM_REQUIRE_BROWSER` asks for one.
    pub fn find() -> Option<Self> {
        let answers = |name: &&str| {
            let version = Command::new(name).arg("--version").stderr(Stdio::null()).output();
            version.is_ok_and(|version| version.status.success())
        };
        let found = NAMES.into_iter().find(answers).map(|executable| Self { executable });
        if found.is_none() {
            assert!(
                std::env::var_os("DFM_REQUIRE_BROWSER").is_none(),
                "DFM_REQUIRE_BROWSER is set, but none of {NAMES:?} runs: install Chromium"
            );
            println!("skipped: none of {NAMES:?} runs here, so no page was loaded");
        }
        found
    }

    /// Loads `page` from a file.
    pub fn load(&self, page: &str) -> Loaded {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = folder.path().join("page with a space.html");
        std::fs::write(&path, page).expect("a written page");
        let output = Command::new(self.executable)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-extensions", "--disable-dev-shm-usage"])
            .args(["--enable-logging=stderr", "--dump-dom", PATIENCE])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg(url(path))
            .output()
            .expect("a browser that runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the browser failed: {errors}");
        let dom = String::from_utf8(output.stdout).expect("UTF-8");
        let console = errors.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
        Loaded { dom, console, found: Value::Null }
    }

    /// Loads a copy of `page` that lets one more script in, and runs that once all images
    /// are there. It is the body of a function that returns what it finds.
    ///
    /// # Panics
    ///
    /// If it throws.
    pub fn probe(&self, page: &str, script: &str) -> Loaded {
        let (before, after) = page.split_once("<meta http-equiv").expect("a policy");
        let (_, after) = after.split_once('>').expect("the policy's end");
        let probe = format!(
            "<script>\n\
             document.querySelectorAll('img').forEach((image) => {{ image.loading = 'eager'; }});\n\
             addEventListener('load', () => {{\n\
             const probe = () => {{ {script} }};\n\
             const text = document.createElement('pre');\n\
             text.id = 'probe-findings';\n\
             try {{ text.textContent = JSON.stringify(probe()); }}\n\
             catch (error) {{ text.textContent = JSON.stringify({{ error: String(error) }}); }}\n\
             document.body.append(text);\n\
             }});</script></body>"
        );
        let copy = format!("{before}{after}").replace("</body>", &probe);
        let mut loaded = self.load(&copy);
        let findings = loaded.dom.split_once(MARK).and_then(|(_, rest)| rest.split_once("</pre>"));
        let (findings, _) =
            findings.unwrap_or_else(|| panic!("the probe found nothing: {:?}", loaded.console));
        let plain = findings.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}");
        let plain = plain.replace("&amp;", "&");
        loaded.found = serde_json::from_str(&plain).unwrap_or_else(|error| panic!("{error}: {plain}"));
        assert_eq!(loaded.found["error"], Value::Null, "the probe failed");
        loaded
    }
}

fn url(path: PathBuf) -> String {
    let path = path.to_str().expect("a scratch folder in UTF-8").replace('\\', "/").replace(' ', "%20");
    format!("file://{}{path}", if path.starts_with('/') { "" } else { "/" })
}
