//! What TOML can say and JSON can't: dates, and numbers that are none. Each would reach the service as something else.

use crate::document::Document;
use crate::finding::Finding;
use toml_edit::visit::{Visit, visit_value};
use toml_edit::{Formatted, Value};

/// Everything in a file that has no JSON form.
pub fn check(document: &Document) -> Vec<Finding> {
    let mut visitor = Visitor { findings: Vec::new() };
    if let Some(table) = document.root().as_table() {
        visitor.visit_table(table);
    }
    visitor.findings
}

struct Visitor {
    findings: Vec<Finding>,
}

impl<'d> Visit<'d> for Visitor {
    fn visit_value(&mut self, value: &'d Value) {
        if let Value::Datetime(_) = value {
            let message = "a date is not understood here; hint: write it as text, in quotes";
            self.findings.push(Finding::error(message).at("", value.span()));
        }
        visit_value(self, value);
    }

    fn visit_float(&mut self, float: &'d Formatted<f64>) {
        if !float.value().is_finite() {
            let message = format!("{} is no number to compute with; hint: write a finite one", float.value());
            self.findings.push(Finding::error(message).at("", float.span()));
        }
    }
}
