//! The page in a real browser, as nginx serves it: at phone and desktop width, light and dark. The
//! pictures stay in target/artefacts/maint-page, to be looked at.

use super::png::{Colour, Picture, contrast};
use super::site::Site;
use harness::nginx::Nginx;
use harness::{TempDir, need, scratch, source_root};
use std::path::PathBuf;
use std::process::{Command, Output};

const LIGHT: Colour = [0xf4, 0xf5, 0xf7];
const DARK: Colour = [0x11, 0x15, 0x1c];

/// Chromium without a window, with a profile of its own.
struct Browser {
    profile: TempDir,
}

impl Browser {
    fn new() -> Browser {
        Browser { profile: scratch() }
    }

    fn run(&self, args: &[&str], url: &str) -> Output {
        let mut command = Command::new(need("chromium").expect("chromium"));
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
            "--disable-background-networking",
        ]);
        command
            .arg("--enable-logging=stderr")
            .arg(format!("--user-data-dir={}", self.profile.path().display()))
            .args(args)
            .arg(url);
        let done = command
            .env("HOME", self.profile.path())
            .output()
            .expect("chromium");
        assert!(done.status.success(), "{done:?}");
        done
    }

    fn picture(&self, name: &str, size: &str, dark: bool, url: &str) -> Picture {
        let path = artefacts().join(format!("{name}.png"));
        let scheme = if dark {
            "--blink-settings=preferredColorScheme=0"
        } else {
            "--blink-settings=preferredColorScheme=1"
        };
        let shot = format!("--screenshot={}", path.display());
        let done = self.run(&[&shot, &format!("--window-size={size}"), scheme], url);
        let log = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(
            !log.contains("Content Security Policy"),
            "the page breaks its own policy: {log}"
        );
        Picture::read(&path)
    }
}

fn artefacts() -> PathBuf {
    let path = source_root().join("target/artefacts/maint-page");
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn up(site: &Site, message: &str) -> Nginx {
    let nginx = Nginx::serving(&format!(
        "include {};\nlocation / {{ return 200 'app'; }}",
        site.snippet("nginx").display()
    ));
    site.tool("on")
        .args([
            "--for",
            "30m",
            "--tz",
            "Europe/Berlin",
            "--title",
            "Down for maintenance",
            "--message",
            message,
        ])
        .run()
        .expect_code(0);
    nginx
}

#[test]
fn it_is_good_to_look_at_at_every_width_and_in_the_dark() {
    let site = Site::new();
    let nginx = up(
        &site,
        "We are moving to a new server. Nothing you have saved is lost.",
    );
    let browser = Browser::new();
    for (name, size, dark) in [
        ("phone-light", "390,844", false),
        ("phone-dark", "390,844", true),
        ("desktop-light", "1280,800", false),
        ("desktop-dark", "1280,800", true),
    ] {
        let picture = browser.picture(name, size, dark, &nginx.url("/"));
        let ground = if dark { DARK } else { LIGHT };
        let edge = |x: usize| (0..picture.height).all(|y| picture.at(x, y) == ground);
        assert!(
            edge(0) && edge(picture.width - 1),
            "{name}: something reaches beyond the edge"
        );
        let colours = picture.colours();
        let (card, _) = colours
            .iter()
            .find(|(colour, _)| *colour != ground)
            .unwrap();
        let best = colours
            .iter()
            .map(|(colour, _)| contrast(*colour, *card))
            .fold(1.0, f64::max);
        assert!(
            best >= 7.0,
            "{name}: the strongest text has a contrast of {best:.1}"
        );
        assert!(colours.len() > 20, "{name}: there is no text");
    }
}

#[test]
fn the_smallest_phone_and_the_longest_word_fit() {
    let site = Site::new();
    let nginx = up(
        &site,
        &format!(
            "{} https://status.example.org/{}",
            "Donaudampfschifffahrtsgesellschaft".repeat(3),
            "a".repeat(120)
        ),
    );
    let picture = Browser::new().picture("smallest-long-word", "320,568", false, &nginx.url("/"));
    assert!(
        (0..picture.height).all(|y| picture.at(picture.width - 1, y) == LIGHT),
        "the page is wider than the window"
    );
}

#[test]
fn a_browser_sees_language_title_and_words_and_no_markup_of_the_operators() {
    let site = Site::new();
    let hostile = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script><style>*{display:none}</style> & \u{202e}evil";
    let nginx = up(&site, hostile);
    let browser = Browser::new();
    let done = browser.run(&["--dump-dom"], &nginx.url("/"));
    let dom = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        dom.contains("<html lang=\"en\" dir=\"ltr\">")
            && dom.contains("<title>Down for maintenance</title>"),
        "{dom}"
    );
    assert!(dom.contains("name=\"viewport\"") && dom.matches("<h1>").count() == 1);
    assert!(
        !dom.contains("<img") && !dom.contains("<script") && dom.matches("<style>").count() == 1,
        "{dom}"
    );
    assert!(
        dom.contains("&lt;img src=x onerror=document.title='owned'&gt;")
            && !dom.contains('\u{202e}')
    );
    browser.picture("hostile-message", "390,844", false, &nginx.url("/"));
}

/// Every language of the page's own words.
const LANGUAGES: [&str; 17] = [
    "en", "de", "fr", "es", "pt", "it", "nl", "pl", "sv", "cs", "tr", "ru", "uk", "ja", "zh", "ar",
    "he",
];

/// The pictures of all languages; the short form takes a wide script, one from right to left and
/// three languages on one page.
#[test]
fn every_language_fits_at_every_width_and_in_the_dark() {
    let chosen: Vec<Vec<&str>> = if harness::full_sweep() {
        let alone = LANGUAGES.iter().map(|lang| vec![*lang]);
        alone.chain([vec!["ar", "de", "zh"]]).collect()
    } else {
        vec![vec!["he", "ru", "ja"]]
    };
    for langs in chosen {
        let site = Site::new();
        let nginx = Nginx::serving(&format!(
            "include {};\nlocation / {{ return 200 'app'; }}",
            site.snippet("nginx").display()
        ));
        let mut on = site
            .tool("on")
            .args(["--for", "30m", "--tz", "Europe/Berlin"]);
        for lang in &langs {
            on = on.args(["--lang", lang]);
        }
        on.run().expect_code(0);
        let browser = Browser::new();
        for (name, size, dark) in [
            ("phone-light", "390,844", false),
            ("phone-dark", "390,844", true),
            ("desktop-light", "1280,800", false),
            ("desktop-dark", "1280,800", true),
        ] {
            let name = format!("lang-{}-{name}", langs.join("-"));
            let picture = browser.picture(&name, size, dark, &nginx.url("/"));
            let ground = if dark { DARK } else { LIGHT };
            let edge = |x: usize| (0..picture.height).all(|y| picture.at(x, y) == ground);
            assert!(
                edge(0) && edge(picture.width - 1),
                "{name}: something reaches beyond the edge"
            );
            // The clock at the head of the card stands where a line of the language begins.
            let accent = if dark {
                [0x8a, 0xb8, 0xff]
            } else {
                [0x0b, 0x57, 0xc4]
            };
            let first = (0..picture.height / 2)
                .flat_map(|y| (0..picture.width).map(move |x| (x, y)))
                .find(|&(x, y)| picture.at(x, y) == accent)
                .unwrap_or_else(|| panic!("{name}: no clock"));
            let right_to_left = ["ar", "he"].contains(&langs[0]);
            assert_eq!(
                first.0 > picture.width / 2,
                right_to_left,
                "{name}: {first:?}"
            );
        }
    }
}

/// A template's style sheet and picture reach the browser in spite of the policy that comes with
/// the page.
#[test]
fn a_template_looks_as_its_own_style_says() {
    let site = Site::new();
    let template = site.top().join("template");
    std::fs::create_dir_all(template.join("css")).unwrap();
    std::fs::write(
        template.join("page.html"),
        "<!doctype html><html lang={{lang}}><title>{{title}}</title><link rel=stylesheet href=\"{{assets}}/css/site.css\"><p>{{message}}</p>",
    )
    .unwrap();
    std::fs::write(
        template.join("css/site.css"),
        "html { background: #0a7d4f url(../logo.svg) no-repeat 0 0 }\n",
    )
    .unwrap();
    std::fs::write(
        template.join("logo.svg"),
        "<svg xmlns='http://www.w3.org/2000/svg' width='60' height='60'><rect width='60' height='60' fill='#ffd400'/></svg>",
    )
    .unwrap();
    let nginx = Nginx::new()
        .http("include /etc/nginx/mime.types;")
        .server(&format!(
            "include {};\nlocation / {{ return 200 'app'; }}",
            site.snippet("nginx").display()
        ))
        .start();
    site.tool("on")
        .arg("--template")
        .arg(&template)
        .run()
        .expect_code(0);
    let picture = Browser::new().picture("template", "390,844", false, &nginx.url("/x"));
    assert_eq!(picture.at(300, 700), [0x0a, 0x7d, 0x4f], "the style sheet");
    assert_eq!(picture.at(3, 3), [0xff, 0xd4, 0x00], "the picture");
}
