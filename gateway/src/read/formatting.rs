//! What `_formatted` shows: attributes that are highlighted or cropped.

use std::collections::BTreeSet;

use miroir_protocol::search::SearchQuery;

use super::visibility::Displayed;

/// The attributes that `_formatted` shows because they are highlighted or cropped.
pub(super) fn formatted(client: &SearchQuery, displayed: &Displayed) -> BTreeSet<String> {
    let highlighted = client.attributes_to_highlight.iter().flatten().map(String::as_str);
    let cropped = client.attributes_to_crop.iter().flatten();
    let cropped = cropped.map(|crop| crop.split(':').next().unwrap_or_default());
    displayed.named(&highlighted.chain(cropped).map(str::to_owned).collect())
}

/// Leaves of what is to be highlighted and cropped what the client may see: `_formatted` shows attributes too.
pub(super) fn restrict_formatting(query: &mut SearchQuery, displayed: &Displayed) {
    let Displayed::Only(_) = displayed else { return };
    if let Some(names) = &query.attributes_to_highlight {
        query.attributes_to_highlight = Some(displayed.named(names));
    }
    if let Some(names) = query.attributes_to_crop.take() {
        let all: Vec<String> = names.iter().filter_map(|name| length_of(name, "*")).collect();
        let wanted: BTreeSet<String> =
            names.iter().map(|name| name.split(':').next().unwrap_or_default().to_owned()).collect();
        let allowed = displayed.named(&wanted);
        let with_length = |name: &String| {
            let own = names.iter().find_map(|crop| length_of(crop, name)).or_else(|| all.first().cloned());
            own.map_or_else(|| name.clone(), |length| format!("{name}{length}"))
        };
        query.attributes_to_crop = Some(allowed.iter().map(with_length).collect());
    }
}

/// The `:length` of `crop` where it is about `name`.
fn length_of(crop: &str, name: &str) -> Option<String> {
    Some(crop.strip_prefix(name)?).filter(|rest| rest.is_empty() || rest.starts_with(':')).map(str::to_owned)
}
