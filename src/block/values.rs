//! A block whose fields are filled by something else, such as an item of an index. The block says of which kind each field is, and
//! what stands there where nothing is given; it checks nothing, which is the business of rendering.

use crate::snapshot::wire::{Block, Field, Image};
use serde_json::{Map, Value};

impl Block {
    /// The block with these values in the fields of their names; what is of another kind than the field, or has no field, is left
    /// out. A picture may be given by its address alone.
    #[must_use]
    pub fn with_values(&self, values: &Map<String, Value>) -> Self {
        let mut block = self.clone();
        for (name, field) in block.fields.iter_mut() {
            if let Some(filled) = values.get(name).and_then(|value| filled(field, value)) {
                *field = filled;
            }
        }
        block
    }
}

fn filled(field: &Field, value: &Value) -> Option<Field> {
    Some(match field {
        Field::Text(_) => Field::Text(match value {
            Value::Number(number) => number.to_string(),
            _ => value.as_str()?.to_string(),
        }),
        Field::Rich(_) => Field::Rich(value.as_str()?.to_string()),
        Field::Url(_) => Field::Url(value.as_str()?.to_string()),
        Field::Number(_) => Field::Number(value.as_f64()?),
        Field::Image(usual) => Field::Image(match value {
            Value::String(src) => Image { src: src.clone(), ..usual.clone() },
            _ => {
                let text = |name: &str| value.get(name).and_then(Value::as_str).map(String::from);
                let pixels =
                    |name: &str| value.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
                Image {
                    src: text("src")?,
                    alt: text("alt").unwrap_or_default(),
                    width: pixels("width"),
                    height: pixels("height"),
                }
            }
        }),
    })
}

#[cfg(test)]
mod tests {
    use crate::block;
    use crate::snapshot::wire;
    use serde_json::{Value, json};

    fn html(values: &Value) -> String {
        let teaser: wire::Block = serde_json::from_value(json!({
            "id": "teaser",
            "template": "<a href=\"{{link}}\"><img src=\"{{picture.src}}\" alt=\"{{picture.alt}}\">{{title}}, {{minutes}} min</a>",
            "fields": {
                "link": { "url": "/" }, "title": { "text": "Something" }, "minutes": { "number": 1 },
                "picture": { "image": { "src": "/none.png", "alt": "" } },
            },
        }))
        .unwrap();
        let filled = teaser.with_values(values.as_object().unwrap());
        let mut html = String::new();
        block::Block::compile(&filled).unwrap().markup().with_token(None, &mut html);
        html
    }

    #[test]
    fn values_take_the_place_of_fields_of_their_kind() {
        let values = json!({ "title": "Tea & more", "link": "/tea", "minutes": 7, "picture": "/tea.png", "secret": "x" });
        let expected = "<a href=\"/tea\"><img src=\"/tea.png\" alt=\"\">Tea &amp; more, 7 min</a>";
        assert_eq!(html(&values), expected);
    }

    #[test]
    fn what_does_not_fit_leaves_the_block_as_it_is() {
        let values = json!({ "title": ["Tea"], "minutes": "seven", "picture": { "alt": "no address" } });
        assert_eq!(html(&values), html(&json!({})));
    }

    #[test]
    fn an_item_can_bring_no_address_that_a_block_could_not() {
        let teaser: wire::Block = serde_json::from_value(json!({
            "id": "teaser", "template": "<a href=\"{{link}}\">x</a>", "fields": { "link": { "url": "/" } },
        }))
        .unwrap();
        let values = json!({ "link": "javascript:alert(1)" });
        assert!(block::Block::compile(&teaser.with_values(values.as_object().unwrap())).is_err());
    }
}
