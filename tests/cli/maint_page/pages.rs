//! What the page says: its languages, and a template of the site's own.

use super::{Site, mode};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

/// The seventeen languages, their direction and the title of the page in each.
const LANGUAGES: [(&str, &str, &str); 17] = [
    ("en", "ltr", "Down for maintenance"),
    ("de", "ltr", "Wartungsarbeiten"),
    ("fr", "ltr", "Maintenance en cours"),
    ("es", "ltr", "En mantenimiento"),
    ("pt-BR", "ltr", "Em manutenção"),
    ("it", "ltr", "Sito in manutenzione"),
    ("nl", "ltr", "Onderhoud"),
    ("pl", "ltr", "Przerwa techniczna"),
    ("sv", "ltr", "Underhåll pågår"),
    ("cs", "ltr", "Probíhá údržba"),
    ("tr", "ltr", "Bakım çalışması"),
    ("ru", "ltr", "Технические работы"),
    ("uk", "ltr", "Технічні роботи"),
    ("ja", "ltr", "メンテナンス中"),
    ("zh-Hans", "ltr", "系统维护中"),
    ("ar", "rtl", "الموقع قيد الصيانة"),
    ("he", "rtl", "האתר בתחזוקה"),
];

#[test]
fn the_page_speaks_the_languages_asked_for() {
    let site = Site::new();
    site.tool("on")
        .args([
            "--lang", "ar", "--lang", "de", "--lang", "en", "--for", "30m",
        ])
        .run()
        .expect_code(0);
    let page = fs::read_to_string(site.dir().join("page/page.html")).unwrap();
    assert!(
        page.starts_with("<!doctype html>\n<html lang=\"ar\" dir=\"rtl\">"),
        "{page}"
    );
    assert!(page.contains("<section lang=\"de\" dir=\"ltr\"><h2>Wartungsarbeiten</h2>"));
    assert!(page.contains("<section lang=\"en\" dir=\"ltr\"><h2>Down for maintenance</h2>"));
    site.tool("on")
        .args(["--lang", "de", "--lang", "tlh"])
        .run()
        .expect_code(2)
        .expect_err("there are no words in 'tlh'");
    // Another language later: what nobody typed is said in that.
    site.tool("on").args(["--lang", "fr"]).run().expect_code(0);
    let page = fs::read_to_string(site.dir().join("page/page.html")).unwrap();
    assert!(page.contains("<title>Maintenance en cours</title>") && !page.contains("<section"));
}

#[test]
fn every_language_has_its_lang_dir_and_title() {
    for (lang, dir, title) in LANGUAGES {
        let site = Site::new();
        site.tool("on")
            .args(["--lang", lang, "--for", "30m", "--tz", "Asia/Tokyo"])
            .run()
            .expect_code(0);
        let page = fs::read_to_string(site.dir().join("page/page.html")).unwrap();
        for part in [
            format!("<!doctype html>\n<html lang=\"{lang}\" dir=\"{dir}\">\n"),
            format!("<title>{title}</title>"),
            format!("<h1>{title}</h1>"),
            format!("<p class=\"message\" lang=\"{lang}\" dir=\"{dir}\">"),
        ] {
            assert!(page.contains(&part), "{lang}: no {part} in {page}");
        }
        assert!(page.contains("<meta charset=\"utf-8\">"));
        // A time is digits from left to right in every language, with the page's own zone.
        assert!(
            page.contains("<time dir=\"ltr\" datetime=\"") && page.contains("+09:00\">"),
            "{page}"
        );
        // The words of another language would be an English leftover.
        if lang != "en" {
            for english in ["Try again", "to be back", "some maintenance"] {
                assert!(!page.contains(english), "{lang}: {english}");
            }
        }
        let notice = site.json("maintenance.json");
        assert!(!notice["message"].as_str().unwrap().is_empty());
    }
}

#[test]
fn a_template_is_copied_whole_and_its_slots_are_filled() {
    let site = Site::new();
    let template = site.top.path().join("template");
    fs::create_dir_all(template.join("img")).unwrap();
    fs::write(
        template.join("page.html"),
        "<html lang={{lang}}><img src=\"{{assets}}/img/logo.svg\"><p>{{message}}</p></html>\n",
    )
    .unwrap();
    fs::write(template.join("img/logo.svg"), "<svg/>").unwrap();
    fs::set_permissions(
        template.join("img/logo.svg"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let on = |extra: &[&str]| {
        site.tool("on")
            .arg("--template")
            .arg(&template)
            .args(extra)
            .run()
    };
    on(&["--message", "<b>"]).expect_code(0);
    let page = site.text("page/page.html");
    let assets = page
        .split('"')
        .nth(1)
        .unwrap()
        .trim_start_matches("/_maint-page/")
        .to_owned();
    assert!(
        page.starts_with("<html lang=en><img src=\"/_maint-page/assets-")
            && page.contains("<p>&lt;b&gt;</p>"),
        "{page}"
    );
    assert_eq!(mode(&site.file(&format!("page/{assets}"))), 0o644);
    assert_eq!(
        on(&["--message", "<b>"]).expect_code(0).json()["changed"],
        false
    );
    fs::remove_dir_all(&template).unwrap();
    site.tool("on")
        .args(["--message", "later"])
        .run()
        .expect_code(0);
    assert!(
        site.text("page/page.html").contains("<p>later</p>"),
        "the copy outlives the original"
    );
}

#[test]
fn templates_with_links_or_unknown_slots_are_refused() {
    let site = Site::new();
    let template = site.top.path().join("template");
    fs::create_dir(&template).unwrap();
    let on = || site.tool("on").arg("--template").arg(&template).run();
    on().expect_code(2).expect_err("page.html").expect_silence();
    fs::write(template.join("page.html"), "<p>\n{{mesage}}</p>").unwrap();
    on().expect_code(2)
        .expect_err("page.html:2: {{mesage}} is not a slot");
    fs::write(template.join("page.html"), "<p>").unwrap();
    symlink("/etc/passwd", template.join("x")).unwrap();
    on().expect_code(2)
        .expect_err("neither a file nor a directory");
    assert!(!site.has("on"));
}
