//! Languages that a query or an attribute can be declared to be in.

use std::{fmt, str::FromStr};

use deserr::Deserr;
use serde::{Deserialize, Serialize};

/// A text that names no supported language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedLocale(String);

macro_rules! locales {
    ($(($short:ident $long:ident))*) => {
        /// A language, by its code of two (ISO 639-1) or three (ISO 639-3) letters.
        #[allow(missing_docs)] // the codes say it
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserr, Serialize, Deserialize)]
        #[deserr(rename_all = camelCase)]
        #[serde(rename_all = "camelCase")]
        pub enum Locale {
            $($short,)*
            $($long,)*
            Cmn,
        }

        impl Locale {
            /// Every language, codes of two letters first.
            pub const ALL: &'static [Self] = &[$(Self::$short,)* $(Self::$long,)* Self::Cmn];

            /// The code in lower case.
            pub fn code(self) -> String {
                format!("{self:?}").to_ascii_lowercase()
            }

            /// The code of three letters in lower case.
            pub fn iso_639_3(self) -> String {
                match self {
                    $(Self::$short => Self::$long.code(),)*
                    long => long.code(),
                }
            }
        }
    };
}

locales! {
    (Af Afr) (Ak Aka) (Am Amh) (Ar Ara) (Az Aze) (Be Bel) (Bn Ben) (Bg Bul) (Ca Cat) (Cs Ces) (Da Dan)
    (De Deu) (El Ell) (En Eng) (Eo Epo) (Et Est) (Fi Fin) (Fr Fra) (Gu Guj) (He Heb) (Hi Hin) (Hr Hrv)
    (Hu Hun) (Hy Hye) (Id Ind) (It Ita) (Jv Jav) (Ja Jpn) (Kn Kan) (Ka Kat) (Km Khm) (Ko Kor) (La Lat)
    (Lv Lav) (Lt Lit) (Ml Mal) (Mr Mar) (Mk Mkd) (My Mya) (Ne Nep) (Nl Nld) (Nb Nob) (Or Ori) (Pa Pan)
    (Fa Pes) (Pl Pol) (Pt Por) (Ro Ron) (Ru Rus) (Si Sin) (Sk Slk) (Sl Slv) (Sn Sna) (Es Spa) (Sr Srp)
    (Sv Swe) (Ta Tam) (Te Tel) (Tl Tgl) (Th Tha) (Tk Tuk) (Tr Tur) (Uk Ukr) (Ur Urd) (Uz Uzb) (Vi Vie)
    (Yi Yid) (Zh Zho) (Zu Zul)
}

impl FromStr for Locale {
    type Err = UnsupportedLocale;

    fn from_str(text: &str) -> Result<Self, UnsupportedLocale> {
        let found = Self::ALL.iter().find(|locale| locale.code() == text);
        found.copied().ok_or_else(|| UnsupportedLocale(text.to_owned()))
    }
}

impl fmt::Display for UnsupportedLocale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut known: Vec<String> = Locale::ALL.iter().map(|locale| locale.code()).collect();
        known.sort_by(|left, right| left.len().cmp(&right.len()).then_with(|| left.cmp(right)));
        write!(f, "Unsupported locale `{}`, expected one of {}", self.0, known.join(", "))
    }
}

impl std::error::Error for UnsupportedLocale {}

#[cfg(test)]
mod tests {
    use super::Locale;

    #[test]
    fn short_and_long_codes_name_the_same_language() {
        assert_eq!("fr".parse::<Locale>().expect("known").iso_639_3(), "fra");
        assert_eq!("cmn".parse::<Locale>().expect("known").iso_639_3(), "cmn");
    }

    #[test]
    fn unsupported_code_lists_the_short_ones_first() {
        let error = "zzz".parse::<Locale>().expect_err("unknown").to_string();
        assert!(error.starts_with("Unsupported locale `zzz`, expected one of af, ak, am,"), "{error}");
    }
}
