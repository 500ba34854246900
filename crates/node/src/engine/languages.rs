//! Languages: the engine's and those that clients name.

use milli_core::tokenizer::Language;
use miroir_protocol::search::Locale;
use serde_json::Value;

/// The engine's languages for these; one it does not know is left out.
pub(crate) fn languages_of(locales: &[Locale]) -> Vec<Language> {
    locales.iter().filter_map(|locale| language_of(&locale.iso_639_3())).collect()
}

/// The language of this code of three letters. The engine knows them by that code with a capital.
fn language_of(code: &str) -> Option<Language> {
    let mut name = code.to_owned();
    name.get_mut(..1)?.make_ascii_uppercase();
    serde_json::from_value(Value::String(name)).ok()
}

/// The code of three letters of a language.
pub(crate) fn code_of(language: Language) -> String {
    format!("{language:?}").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use miroir_protocol::search::Locale;

    use super::{code_of, languages_of};

    #[test]
    fn every_language_clients_may_name_is_known_to_the_engine() {
        for locale in Locale::ALL {
            let languages = languages_of(&[*locale]);
            assert_eq!(languages.len(), 1, "{locale:?}");
            assert_eq!(code_of(languages[0]), locale.iso_639_3());
        }
    }
}
