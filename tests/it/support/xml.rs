//! Reads XML as strictly as it is meant: a document that a reader may refuse fails the test.

use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Element {
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    pub children: Vec<Element>,
    /// What stands between its tags beside elements.
    pub text: String,
}

impl Element {
    /// The root of a document without comments, CDATA, a document type or instructions.
    #[track_caller]
    pub fn document(text: &str) -> Self {
        let allowed =
            |c: char| matches!(c, '\n' | '\t' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert_eq!(text.chars().find(|c| !allowed(*c)), None, "a character that XML 1.0 does not know");
        let rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").expect("a declaration");
        let (root, rest) = Self::read(rest);
        assert_eq!(rest, "\n", "nothing follows");
        root
    }

    pub fn named(&self, name: &str) -> Vec<&Self> {
        self.children.iter().filter(|child| child.name == name).collect()
    }

    #[track_caller]
    fn read(text: &str) -> (Self, &str) {
        let (tag, mut rest) = text.strip_prefix('<').and_then(|t| t.split_once('>')).expect("a tag");
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name:?}");
        let mut element = Self { name: name.to_owned(), ..Self::default() };
        while !attributes.is_empty() {
            let (key, value) = attributes.split_once("=\"").expect("an attribute");
            let (value, more) = value.split_once('"').expect("the end of a value");
            assert!(!value.contains('\n'), "a line end in an attribute becomes a blank");
            assert_eq!(
                element.attributes.insert(key.to_owned(), without_entities(value)),
                None,
                "{key} twice"
            );
            attributes = more.trim_start();
        }
        if is_empty {
            return (element, rest);
        }
        loop {
            let (words, tag) = rest.split_at(rest.find('<').expect("an end tag"));
            element.text += &without_entities(words);
            if let Some(end) = tag.strip_prefix("</") {
                let (name, rest) = end.split_once('>').expect("the end of a tag");
                assert_eq!(name, element.name);
                return (element, rest);
            }
            let child;
            (child, rest) = Self::read(tag);
            element.children.push(child);
        }
    }
}

#[track_caller]
fn without_entities(text: &str) -> String {
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';').expect("the end of an entity");
        let known = [("amp", "&"), ("lt", "<"), ("gt", ">"), ("quot", "\""), ("apos", "'")];
        out += known.iter().find(|(name, _)| *name == entity).unwrap_or_else(|| panic!("&{entity};")).1;
        out += rest;
    }
    assert!(!text.contains(['<', '>']), "{text}");
    out
}
