//! Whether a JSON value has the form that a schema describes; covers what our schemas use.

use serde_json::Value;

/// Fails where `value` is not as `schema`, a part of `root`, says, or has a field that is not described.
#[track_caller]
pub fn check(value: &Value, schema: &Value, root: &Value, at: &str) {
    let parts = parts(value, schema, root);
    for part in &parts {
        check_type(value, part, at);
        check_choice(value, part, root, at);
        for key in part["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            assert!(value.get(key).is_some(), "{at} has no {key}");
        }
    }
    if parts.iter().any(|part| part["properties"].is_object() || part["additionalProperties"].is_object()) {
        for (key, field) in value.as_object().into_iter().flatten() {
            let described = |part: &&&Value| part["properties"][key].is_object();
            let schema = match parts.iter().find(described) {
                Some(part) => &part["properties"][key],
                None => parts
                    .iter()
                    .map(|p| &p["additionalProperties"])
                    .find(|s| s.is_object())
                    .unwrap_or_else(|| panic!("the schema does not know {at}.{key}")),
            };
            check(field, schema, root, &format!("{at}.{key}"));
        }
    }
    if let Some(items) = value.as_array() {
        for (i, item) in items.iter().enumerate() {
            check(item, &schema["items"], root, &format!("{at}[{i}]"));
        }
        let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
        let least = schema["minItems"].as_u64().unwrap_or(0);
        assert!((least..=most).contains(&(items.len() as u64)), "{at} has {} items", items.len());
    }
}

/// Everything that describes `value`: the schema, what it refers to, and of messages the one with this reason.
fn parts<'a>(value: &Value, schema: &'a Value, root: &'a Value) -> Vec<&'a Value> {
    let mut all = vec![schema];
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/").expect("a definition of the same file");
        assert!(root["$defs"][name].is_object(), "no definition {name}");
        all.extend(parts(value, &root["$defs"][name], root));
    }
    if is_tagged(schema) {
        let chosen = options(schema).find(|o| reason(o) == &value["reason"]);
        let chosen = chosen.unwrap_or_else(|| panic!("the schema does not know the reason of {value}"));
        all.extend(parts(value, chosen, root));
    }
    all
}

fn options(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten()
}

fn reason(option: &Value) -> &Value {
    &option["properties"]["reason"]["const"]
}

/// Whether a field named `reason` tells which of the options it is.
fn is_tagged(schema: &Value) -> bool {
    options(schema).next().is_some_and(|o| reason(o).is_string())
}

/// The reasons of all messages that a schema knows.
pub fn reasons(schema: &Value) -> Vec<&str> {
    options(schema).filter_map(|o| reason(o).as_str()).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_u64() || n.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[track_caller]
fn check_type(value: &Value, schema: &Value, at: &str) {
    let kind = kind(value);
    let fits = |t: &Value| t == kind || t == "number" && kind == "integer";
    match &schema["type"] {
        Value::Null => {}
        Value::Array(types) => assert!(types.iter().any(fits), "{at} is {kind}"),
        one => assert!(fits(one), "{at} is {kind}, where {one} is meant"),
    }
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at} is {value}");
    }
    assert!(schema["const"].is_null() || schema["const"] == *value, "{at} is {value}");
}

#[track_caller]
fn check_choice(value: &Value, schema: &Value, root: &Value, at: &str) {
    if is_tagged(schema) || options(schema).next().is_none() {
        return;
    }
    let kind = kind(value);
    let fits = |o: &Value| match (&o["const"], &o["enum"]) {
        (Value::Null, Value::Null) => o["type"] == kind || o["$ref"].is_string(),
        (Value::Null, words) => words.as_array().is_some_and(|words| words.contains(value)),
        (word, _) => word == value,
    };
    assert!(options(schema).any(fits), "{at} is {value}");
    if let Some(reference) = options(schema).find(|o| o["$ref"].is_string()).filter(|_| !value.is_null()) {
        check(value, reference, root, at);
    }
}
