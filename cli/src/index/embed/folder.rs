//! Vectors of texts from a Model2Vec folder (cargo feature `model2vec`): `tokenizer.json`, `model.safetensors` and `config.json`, as
//! `StaticModel.save_pretrained` leaves them. Nothing is fetched.

use crate::problem::Stop;
use model2vec_rs::model::StaticModel;
use std::path::Path;

/// Longest text, tokens; what follows has no part in the vector.
const MOST_TOKENS: usize = 512;
/// Texts of one batch.
const BATCH: usize = 1_024;

/// A model and its name.
#[derive(Debug)]
pub struct Folder {
    model: StaticModel,
}

impl Folder {
    /// Reads a model.
    ///
    /// # Errors
    /// The folder is none of Model2Vec.
    pub fn open(folder: &Path) -> Result<Self, Stop> {
        let help = "the folder has to hold tokenizer.json, model.safetensors and config.json";
        // A name that is no folder would be taken for one of a hub.
        if !folder.is_dir() {
            return Err(Stop::new(format!("{} is no folder", folder.display()), help));
        }
        let model = StaticModel::from_pretrained(folder, None, Some(true), None);
        let model = model.map_err(|error| Stop::new(format!("{}: {error:#}", folder.display()), help))?;
        Ok(Self { model })
    }

    /// The vectors of some texts in their order.
    pub fn embed(&self, texts: &[&str]) -> Vec<Vec<f32>> {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        self.model.encode_with_args(&texts, Some(MOST_TOKENS), BATCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;
    use serde_json::json;

    #[test]
    fn a_tiny_folder_gives_the_mean_of_its_words() {
        let folder = std::env::temp_dir().join(format!("edgeloom-model2vec-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": { "type": "Lowercase" },
            "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
            "model": { "type": "WordLevel", "vocab": { "[UNK]": 0, "red": 1, "shoe": 2 }, "unk_token": "[UNK]" },
        });
        std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
        std::fs::write(folder.join("config.json"), r#"{"normalize": true}"#).unwrap();
        let numbers: Vec<u8> =
            [9.0_f32, 9.0, 1.0, 0.0, 0.0, 1.0].iter().flat_map(|n| n.to_le_bytes()).collect();
        let tensor = TensorView::new(Dtype::F32, vec![3, 2], &numbers).unwrap();
        let model = safetensors::serialize([("embeddings", tensor)], None).unwrap();
        std::fs::write(folder.join("model.safetensors"), model).unwrap();
        let vectors = Folder::open(&folder).unwrap().embed(&["Red", "red shoe", "unknown shoe"]);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(vectors[0], [1.0, 0.0]);
        assert!((vectors[1][0] - 0.707_106_77).abs() < 1e-6 && (vectors[1][1] - 0.707_106_77).abs() < 1e-6);
        assert_eq!(vectors[2], [0.0, 1.0]);
        assert!(Folder::open(Path::new("/nowhere")).unwrap_err().message.contains("no folder"));
    }
}
