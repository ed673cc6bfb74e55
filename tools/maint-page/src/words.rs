//! The page's own words, in the languages that Django sites are most often in.
//!
//! A language is one row of [`WORDS`]. The message and the title that an operator types are never
//! translated; a page in several languages repeats only the page's own words.

/// What the page says by itself, in one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// The primary language subtag (BCP 47).
    pub lang: &'static str,
    /// The heading.
    pub title: &'static str,
    /// The message.
    pub message: &'static str,
    /// The announced end, with `{}` for the time.
    pub expected: &'static str,
    /// The announced end has passed, with `{}` for the time.
    pub overdue: &'static str,
    /// The link that loads the page again.
    pub again: &'static str,
}

/// One row for each language; English is the first and stands in for every language without a row.
pub const WORDS: &[Words] = &[
    Words {
        lang: "en",
        title: "Down for maintenance",
        message: "We are doing some maintenance and will be back shortly.",
        expected: "We expect to be back by {}.",
        overdue: "We expected to be back by {}. It is taking longer; we are working on it.",
        again: "Try again",
    },
    Words {
        lang: "de",
        title: "Wartungsarbeiten",
        message: "Wir führen gerade Wartungsarbeiten durch und sind in Kürze zurück.",
        expected: "Wir sind voraussichtlich bis {} zurück.",
        overdue: "Wir wollten bis {} zurück sein. Es dauert länger; wir arbeiten daran.",
        again: "Erneut versuchen",
    },
    Words {
        lang: "fr",
        title: "Maintenance en cours",
        message: "Une opération de maintenance est en cours. Nous serons bientôt de retour.",
        expected: "Retour prévu avant {}.",
        overdue: "Retour initialement prévu avant {}. Cela prend plus de temps ; nous y travaillons.",
        again: "Réessayer",
    },
    Words {
        lang: "es",
        title: "En mantenimiento",
        message: "Estamos realizando tareas de mantenimiento y volveremos en breve.",
        expected: "Esperamos estar de vuelta antes de {}.",
        overdue: "Esperábamos estar de vuelta antes de {}. Está tardando más; estamos trabajando en ello.",
        again: "Reintentar",
    },
    Words {
        lang: "pt",
        title: "Em manutenção",
        message: "Estamos em manutenção e voltaremos em breve.",
        expected: "Prevemos voltar até {}.",
        overdue: "Prevíamos voltar até {}. Está demorando mais; estamos trabalhando nisso.",
        again: "Tentar novamente",
    },
    Words {
        lang: "it",
        title: "Sito in manutenzione",
        message: "Stiamo effettuando lavori di manutenzione e torneremo a breve.",
        expected: "Prevediamo di tornare entro {}.",
        overdue: "Prevedevamo di tornare entro {}. Ci vuole più tempo; ci stiamo lavorando.",
        again: "Riprova",
    },
    Words {
        lang: "nl",
        title: "Onderhoud",
        message: "We voeren onderhoud uit en zijn binnenkort terug.",
        expected: "We verwachten uiterlijk {} terug te zijn.",
        overdue: "We verwachtten uiterlijk {} terug te zijn. Het duurt langer; we werken eraan.",
        again: "Opnieuw proberen",
    },
    Words {
        lang: "pl",
        title: "Przerwa techniczna",
        message: "Trwają prace konserwacyjne. Wkrótce wrócimy.",
        expected: "Planujemy wrócić do: {}.",
        overdue: "Planowaliśmy wrócić do: {}. Prace trwają dłużej; pracujemy nad tym.",
        again: "Spróbuj ponownie",
    },
    Words {
        lang: "sv",
        title: "Underhåll pågår",
        message: "Vi utför underhåll och är snart tillbaka.",
        expected: "Vi räknar med att vara tillbaka senast {}.",
        overdue: "Vi räknade med att vara tillbaka senast {}. Det tar längre tid; vi arbetar på det.",
        again: "Försök igen",
    },
    Words {
        lang: "cs",
        title: "Probíhá údržba",
        message: "Provádíme údržbu a brzy budeme zpět.",
        expected: "Předpokládáme, že budeme zpět do: {}.",
        overdue: "Předpokládali jsme, že budeme zpět do: {}. Trvá to déle; pracujeme na tom.",
        again: "Zkusit znovu",
    },
    Words {
        lang: "tr",
        title: "Bakım çalışması",
        message: "Bakım yapıyoruz, kısa süre içinde geri döneceğiz.",
        expected: "Beklenen dönüş zamanı: {}.",
        overdue: "Beklenen dönüş zamanı: {}. Çalışma daha uzun sürüyor; üzerinde çalışıyoruz.",
        again: "Yeniden dene",
    },
    Words {
        lang: "ru",
        title: "Технические работы",
        message: "Мы проводим технические работы и скоро вернёмся.",
        expected: "Планируем вернуться до: {}.",
        overdue: "Мы планировали вернуться до: {}. Работы продолжаются дольше; мы над этим работаем.",
        again: "Повторить попытку",
    },
    Words {
        lang: "uk",
        title: "Технічні роботи",
        message: "Ми проводимо технічні роботи й незабаром повернемося.",
        expected: "Плануємо повернутися до: {}.",
        overdue: "Ми планували повернутися до: {}. Роботи тривають довше; ми працюємо над цим.",
        again: "Спробувати ще раз",
    },
    Words {
        lang: "ja",
        title: "メンテナンス中",
        message: "ただいまメンテナンスを行っています。まもなく再開します。",
        expected: "再開予定：{}",
        overdue: "再開予定：{}。予定より時間がかかっています。作業を続けています。",
        again: "再読み込み",
    },
    Words {
        lang: "zh",
        title: "系统维护中",
        message: "我们正在进行维护，很快就会恢复。",
        expected: "预计恢复时间：{}。",
        overdue: "预计恢复时间：{}。维护时间比预期长，我们正在处理。",
        again: "重试",
    },
    Words {
        lang: "ar",
        title: "الموقع قيد الصيانة",
        message: "نُجري بعض أعمال الصيانة وسنعود قريبًا.",
        expected: "نتوقع العودة قبل: {}.",
        overdue: "كنا نتوقع العودة قبل: {}. يستغرق الأمر وقتًا أطول، ونحن نعمل على ذلك.",
        again: "أعد المحاولة",
    },
    Words {
        lang: "he",
        title: "האתר בתחזוקה",
        message: "אנו מבצעים עבודות תחזוקה ונחזור בקרוב.",
        expected: "אנו צופים לחזור עד: {}.",
        overdue: "צפינו לחזור עד: {}. זה נמשך יותר זמן; אנו עובדים על כך.",
        again: "לנסות שוב",
    },
];

/// Languages written from right to left: those of Unicode's right-to-left scripts that web sites
/// are in.
const RIGHT_TO_LEFT: &[&str] = &[
    "ar", "he", "iw", "fa", "ur", "yi", "ps", "sd", "ug", "dv", "ckb",
];

/// Whether there is a row for this language.
pub fn is_known(tag: &str) -> bool {
    WORDS.iter().any(|words| words.lang == primary(tag))
}

/// The words of a language; English where there is no row.
pub fn of(tag: &str) -> &'static Words {
    let primary = primary(tag);
    WORDS
        .iter()
        .find(|words| words.lang == primary)
        .unwrap_or(&WORDS[0])
}

/// `rtl` or `ltr`, for the attribute `dir`: by the script subtag where there is one, else by the
/// language.
pub fn direction(tag: &str) -> &'static str {
    let script = tag
        .split('-')
        .skip(1)
        .find(|part| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let right_to_left = match script {
        Some(script) => {
            ["arab", "hebr", "syrc", "thaa", "nkoo"].contains(&script.to_ascii_lowercase().as_str())
        }
        None => RIGHT_TO_LEFT.contains(&primary(tag).as_str()),
    };
    if right_to_left { "rtl" } else { "ltr" }
}

fn primary(tag: &str) -> String {
    tag.split('-')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole() {
        assert!(WORDS.len() >= 12);
        for words in WORDS {
            for (text, holes) in [
                (words.title, 0),
                (words.message, 0),
                (words.again, 0),
                (words.expected, 1),
                (words.overdue, 1),
            ] {
                assert!(!text.is_empty(), "{}", words.lang);
                assert_eq!(text.matches("{}").count(), holes, "{}: {text}", words.lang);
                assert_eq!(crate::plain::clean(text), text, "{}", words.lang);
            }
            assert_eq!(
                WORDS
                    .iter()
                    .filter(|other| other.lang == words.lang)
                    .count(),
                1
            );
        }
    }

    #[test]
    fn regions_and_scripts() {
        assert_eq!(of("pt-BR").title, "Em manutenção");
        assert_eq!(of("DE").again, "Erneut versuchen");
        assert_eq!(of("eo").lang, "en");
        for (tag, direction_) in [
            ("ar", "rtl"),
            ("he-IL", "rtl"),
            ("fa", "rtl"),
            ("az-Arab", "rtl"),
            ("ar-Latn", "ltr"),
            ("de", "ltr"),
        ] {
            assert_eq!(direction(tag), direction_, "{tag}");
        }
    }
}
