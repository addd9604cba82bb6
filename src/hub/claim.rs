//! What the Hub says of where a model comes from.

use serde_json::Value;

/// What a model's card says of where the model comes from: its author's word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// `finetune`, `adapter`, `merge`, `quantized`; `None` where only the base is named.
    pub relation: Option<String>,
    /// Ids of the models that it was made of; none where the card names none.
    pub bases: Vec<String>,
}

impl Claim {
    /// What the Hub made of the card, else its tags, else the card itself.
    pub(super) fn read(info: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts = |value: &Value| match value {
            Value::Array(values) => values.iter().filter_map(text).collect(),
            value => text(value).into_iter().collect::<Vec<_>>(),
        };
        let known = &info["baseModels"];
        let known = known.as_array().and_then(|list| list.first()).unwrap_or(known);
        let models = known["models"].as_array().into_iter().flatten();
        let by_hub =
            Self { relation: text(&known["relation"]), bases: models.filter_map(|model| text(&model["id"])).collect() };
        let tags = texts(&info["tags"]);
        let tags = tags.iter().filter_map(|tag| tag.strip_prefix("base_model:"));
        // Each base has a tag without its relation, and one with it.
        let related: Vec<(&str, &str)> = tags.filter_map(|tag| tag.split_once(':')).collect();
        let by_tags = Self {
            relation: related.first().map(|(relation, _)| (*relation).to_owned()),
            bases: related.iter().map(|(_, id)| (*id).to_owned()).collect(),
        };
        let card = &info["cardData"];
        let by_card = Self { relation: text(&card["base_model_relation"]), bases: texts(&card["base_model"]) };
        [by_hub, by_tags, by_card].into_iter().find(|claim| !claim.bases.is_empty()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_read_from_what_the_hub_made_of_the_card_else_from_tags_else_from_the_card() {
        let claim = |info: Value| {
            let claim = Claim::read(&info);
            (claim.relation.unwrap_or_default(), claim.bases)
        };
        let hub = json!({ "relation": "finetune", "models": [{ "_id": "1", "id": "o/base" }] });
        let tags = json!(["x", "base_model:o/one", "base_model:merge:o/one", "base_model:merge:o/two"]);
        let card = json!({ "base_model": "o/card" });
        let found = |relation: &str, bases: &[&str]| {
            (relation.to_owned(), bases.iter().map(|&base| base.to_owned()).collect::<Vec<_>>())
        };
        let all = json!({ "baseModels": hub, "tags": tags, "cardData": card });
        assert_eq!(claim(all), found("finetune", &["o/base"]));
        assert_eq!(claim(json!({ "tags": tags, "cardData": card })), found("merge", &["o/one", "o/two"]));
        assert_eq!(claim(json!({ "tags": ["x"], "cardData": card })), found("", &["o/card"]));
        assert_eq!(claim(json!({ "baseModels": null, "tags": "base_model:a", "cardData": [] })), found("", &[]));
        assert_eq!(claim(json!([])), found("", &[]));
    }
}
