//! Sort expressions: `attribute:asc`, `_geoPoint(48.8, 2.3):desc`.

use std::{fmt, str::FromStr};

use crate::error::{Code, ResponseError};

/// Names with a meaning of their own, which no sort expression can take as an attribute.
const RESERVED: [&str; 7] =
    ["_geo", "_geojson", "_geoDistance", "_geoPoint", "_geoRadius", "_geoBoundingBox", "_geoPolygon"];

/// Names that are reserved when they are written as a function.
const RESERVED_FUNCTIONS: [&str; 4] = ["_geoRadius(", "_geoBoundingBox(", "_geo(", "_geoDistance("];

/// What to sort by and in which direction.
#[derive(Debug, Clone, PartialEq)]
pub enum AscDesc {
    /// Smallest first.
    Asc(Member),
    /// Largest first.
    Desc(Member),
}

/// What to sort by.
#[derive(Debug, Clone, PartialEq)]
pub enum Member {
    /// The value of an attribute.
    Field(String),
    /// The distance from a point: latitude and longitude.
    Geo([f64; 2]),
}

/// Why a text is no sort expression.
#[derive(Debug, Clone, PartialEq)]
pub enum AscDescError {
    /// The latitude is out of range.
    Latitude(f64),
    /// The longitude is out of range.
    Longitude(f64),
    /// It does not end in `:asc` or `:desc`.
    Syntax(String),
    /// It sorts by a reserved name.
    Reserved(String),
}

/// Why a search cannot be sorted so.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SortError {
    /// The latitude is out of range.
    #[error("Bad latitude `{0}`. Latitude must be contained between -90 and 90 degrees.")]
    Latitude(f64),
    /// The longitude is out of range.
    #[error(
        "Bad longitude `{0}`. Longitude must be contained between -180 and 180 degrees. Hint: try using `{around}` \
         instead.",
        around = (.0 + 180.0).rem_euclid(360.0) - 180.0
    )]
    Longitude(f64),
    /// `_geoPoint` that is not written as it has to be.
    #[error(
        "Invalid syntax for the geo parameter: expected expression formated like `_geoPoint(latitude, longitude)` \
         and ending by `:asc` or `:desc`, found `{0}`."
    )]
    GeoPoint(String),
    /// It does not end in `:asc` or `:desc`.
    #[error(
        "Invalid syntax for the sort parameter: expected expression ending by `:asc` or `:desc`, found `{0}`."
    )]
    Syntax(String),
    /// A reserved name.
    #[error("`{0}` is a reserved keyword and thus can't be used as a sort expression.")]
    Reserved(String),
    /// A reserved name of which `_geoPoint` was probably meant.
    #[error(
        "`{0}` is a reserved keyword and thus can't be used as a sort expression. Use the _geoPoint(latitude, \
         longitude) built-in rule to sort on _geo field coordinates."
    )]
    MeantGeoPoint(String),
}

impl AscDesc {
    /// Parses one element of a search's `sort`.
    pub fn parse_for_search(text: &str) -> Result<Self, ResponseError> {
        let parsed = text.parse::<Self>();
        parsed
            .map_err(|error| ResponseError::new(Code::InvalidSearchSort, SortError::from(error).to_string()))
    }

    /// Parses one element of a document listing's `sort`.
    pub fn parse_for_documents(text: &str) -> Result<Self, ResponseError> {
        let parsed = text.parse::<Self>();
        parsed.map_err(|error| {
            ResponseError::new(Code::InvalidDocumentSort, SortError::from(error).to_string())
        })
    }

    /// What to sort by.
    pub fn member(&self) -> &Member {
        match self {
            Self::Asc(member) | Self::Desc(member) => member,
        }
    }

    /// Whether the smallest come first.
    pub fn is_asc(&self) -> bool {
        matches!(self, Self::Asc(_))
    }
}

impl From<AscDescError> for SortError {
    fn from(error: AscDescError) -> Self {
        match error {
            AscDescError::Latitude(latitude) => Self::Latitude(latitude),
            AscDescError::Longitude(longitude) => Self::Longitude(longitude),
            AscDescError::Syntax(text) => Self::Syntax(text),
            AscDescError::Reserved(name) if name.starts_with("_geoPoint") => Self::GeoPoint(name),
            AscDescError::Reserved(name) if name == "_geo" => Self::MeantGeoPoint(name),
            AscDescError::Reserved(name) => {
                let filter =
                    ["_geoRadius", "_geoBoundingBox"].into_iter().find(|filter| name.starts_with(filter));
                filter.map_or(Self::Reserved(name), |filter| Self::MeantGeoPoint(filter.to_owned()))
            }
        }
    }
}

impl FromStr for AscDesc {
    type Err = AscDescError;

    fn from_str(text: &str) -> Result<Self, AscDescError> {
        match text.rsplit_once(':') {
            Some((member, "asc")) => Ok(Self::Asc(member.parse()?)),
            Some((member, "desc")) => Ok(Self::Desc(member.parse()?)),
            _ => Err(AscDescError::Syntax(text.to_owned())),
        }
    }
}

impl FromStr for Member {
    type Err = AscDescError;

    fn from_str(text: &str) -> Result<Self, AscDescError> {
        if let Some(point) = text.strip_prefix("_geoPoint(").and_then(|rest| rest.strip_suffix(')')) {
            return parse_point(point).unwrap_or_else(|| Err(AscDescError::Reserved(text.to_owned())));
        }
        if RESERVED.contains(&text) || RESERVED_FUNCTIONS.iter().any(|name| text.starts_with(name)) {
            return Err(AscDescError::Reserved(text.to_owned()));
        }
        Ok(Self::Field(text.to_owned()))
    }
}

/// A latitude and a longitude with a comma between; `None` when they are not that.
fn parse_point(point: &str) -> Option<Result<Member, AscDescError>> {
    let (latitude, longitude) = point.split_once(',')?;
    let latitude: f64 = latitude.trim().parse().ok()?;
    let longitude: f64 = longitude.trim().parse().ok()?;
    if !(-90.0..=90.0).contains(&latitude) {
        return Some(Err(AscDescError::Latitude(latitude)));
    }
    if !(-180.0..=180.0).contains(&longitude) {
        return Some(Err(AscDescError::Longitude(longitude)));
    }
    Some(Ok(Member::Geo([latitude, longitude])))
}

impl fmt::Display for AscDesc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.is_asc() { "asc" } else { "desc" };
        match self.member() {
            Member::Field(name) => write!(f, "{name}:{direction}"),
            Member::Geo([latitude, longitude]) => write!(f, "_geoPoint({latitude}, {longitude}):{direction}"),
        }
    }
}

/// The elements of a `sort` query parameter: the comma inside `_geoPoint(..)` separates nothing.
pub fn split_sort_parameter(sort: &str) -> Vec<String> {
    let mut elements: Vec<String> = Vec::new();
    let mut inside_point = false;
    for part in sort.trim_matches('"').split(',').map(str::trim) {
        match elements.last_mut().filter(|_| inside_point) {
            Some(point) if !part.starts_with("_geoPoint(") => {
                point.push(',');
                point.push_str(part);
                inside_point = !(part.ends_with("):asc") || part.ends_with("):desc"));
            }
            _ => {
                elements.push(part.to_owned());
                inside_point = part.starts_with("_geoPoint(");
            }
        }
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::{AscDesc, Member, split_sort_parameter};

    fn refused(sort: &str) -> String {
        AscDesc::parse_for_search(sort).expect_err(sort).message().to_owned()
    }

    #[test]
    fn the_last_colon_separates_the_direction() {
        let sort: AscDesc = "a:b:desc".parse().expect("good");
        assert_eq!(sort, AscDesc::Desc(Member::Field("a:b".to_owned())));
        let sort: AscDesc = "_geoPoint(42, 59.5):asc".parse().expect("good");
        assert_eq!(sort.to_string(), "_geoPoint(42, 59.5):asc");
        assert!(sort.is_asc());
    }

    #[test]
    fn reserved_names_are_refused_in_their_own_words() {
        assert!(refused("_geo:asc").ends_with(
            "Use the _geoPoint(latitude, longitude) built-in rule to sort on _geo field coordinates."
        ));
        assert!(refused("_geoRadius(1, 2, 3):asc").starts_with("`_geoRadius` is a reserved keyword"));
        assert_eq!(
            refused("_geoDistance:asc"),
            "`_geoDistance` is a reserved keyword and thus can't be used as a sort expression."
        );
        assert!(refused("_geoPoint(1):asc").starts_with("Invalid syntax for the geo parameter"));
        assert!(refused("price").starts_with("Invalid syntax for the sort parameter"));
    }

    #[test]
    fn points_have_to_be_on_the_globe() {
        assert_eq!(
            refused("_geoPoint(200, 0):asc"),
            "Bad latitude `200`. Latitude must be contained between -90 and 90 degrees."
        );
        assert_eq!(
            refused("_geoPoint(0, 190):asc"),
            "Bad longitude `190`. Longitude must be contained between -180 and 180 degrees. Hint: try using `-170` \
             instead."
        );
    }

    #[test]
    fn commas_inside_a_point_separate_nothing() {
        let sort = r#""name:asc, _geoPoint(48.8, 2.3):desc,year:asc""#;
        assert_eq!(split_sort_parameter(sort), ["name:asc", "_geoPoint(48.8,2.3):desc", "year:asc"]);
        assert_eq!(split_sort_parameter("_geoPoint(1,2):asc,_geoPoint(3,4):asc").len(), 2);
    }
}
