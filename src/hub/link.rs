//! The `Link` header that pages a listing.

/// The target of `rel="next"`, as written (it may be relative), tolerating several links and commas inside `<…>`.
pub fn next_page(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some(open) = rest.find('<') {
        let close = open + rest[open..].find('>')?;
        let target = &rest[open + 1..close];
        let after = &rest[close + 1..];
        let end = after.find('<').unwrap_or(after.len());
        let is_next = after[..end].split([';', ',']).any(|parameter| {
            parameter.trim().split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("rel")
                    && value
                        .trim()
                        .trim_matches('"')
                        .split_whitespace()
                        .any(|relation| relation.eq_ignore_ascii_case("next"))
            })
        });
        if is_next {
            return Some(target);
        }
        rest = &after[end..];
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        assert_eq!(next_page(r#"<https://h/a?cursor=x,y>; rel="next""#), Some("https://h/a?cursor=x,y"));
        assert_eq!(next_page(r#"<a>; rel="prev", <b>; title="t"; rel=next"#), Some("b"));
        assert_eq!(next_page(r#"</api/x>; rel="xet-auth next""#), Some("/api/x"));
    }

    #[test]
    fn other_relations_are_not_followed() {
        assert_eq!(next_page(r#"<a>; rel="nextish", <b>; rel="last""#), None);
        assert_eq!(next_page("<a"), None);
        assert_eq!(next_page(""), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(text in ".*") {
            let _ = next_page(&text);
        }
    }
}
