//! Values that are held against each other: what one of them says about the others, and whether they ever fit.

use sqlparser::ast::{Expr as Tree, Value as Constant};

use super::constant::moment;
use super::names::near;
use super::scalar::{Converter, bare};
use super::types::{may_compare, type_name};
use crate::expr::{Expr, Type};
use crate::value::{Level, Value};

impl Converter<'_> {
    /// Operands that stand beside each other, where one may say what the others are: a name beside `level` is a
    /// level, a text beside `time` a time.
    pub(super) fn operands(&mut self, trees: &[&Tree]) -> Vec<Option<Expr>> {
        let mut hint = None;
        let mut made: Vec<Option<Option<Expr>>> = Vec::with_capacity(trees.len());
        for &tree in trees {
            let tree = bare(tree);
            let (kind, expr) = match tree {
                Tree::Identifier(_) => (self.kind_of_name(tree), None),
                Tree::Value(value) if matches!(value.value, Constant::SingleQuotedString(_)) => {
                    (None, None)
                }
                _ => {
                    let expr = self.expr(tree);
                    let kind = expr.as_ref().map(|expr| self.type_of(expr));
                    (kind, Some(expr))
                }
            };
            hint = hint.or(kind.filter(|kind| matches!(kind, Type::Level | Type::Time)));
            made.push(expr);
        }
        trees
            .iter()
            .zip(made)
            .map(|(tree, made)| match made {
                Some(made) => made,
                None => self.operand(bare(tree), hint),
            })
            .collect()
    }

    fn operand(&mut self, tree: &Tree, hint: Option<Type>) -> Option<Expr> {
        let (word, is_text) = match tree {
            Tree::Value(value) => match &value.value {
                Constant::SingleQuotedString(text) => (text, true),
                _ => return self.expr(tree),
            },
            Tree::Identifier(name) => (&name.value, false),
            _ => return self.expr(tree),
        };
        match hint {
            Some(Type::Level) if is_text || self.kind_of_name(tree) != Some(Type::Level) => {
                match Level::from_word(word.as_bytes()) {
                    Some(level) => Some(Expr::literal_level(level)),
                    None => {
                        let names = Level::ALL.iter().map(|level| level.name());
                        let help = match near(word, names) {
                            Some(level) => format!("did you mean {level}?"),
                            None => {
                                let levels = "levels are TRACE, DEBUG, INFO, WARN, ERROR and FATAL";
                                match is_text {
                                    true => levels.to_owned(),
                                    false => format!("{levels}; a field is `fields.{word}`"),
                                }
                            }
                        };
                        self.wrong_with(tree, format!("`{word}` is no level"), help)
                    }
                }
            }
            Some(Type::Time) if is_text => match moment(word, self.timezone) {
                Ok(time) => Some(Expr::Literal(Value::Time(time))),
                Err(message) => self.wrong(tree, message),
            },
            _ => self.expr(tree),
        }
    }

    /// The type of what a bare name stands for, if it stands for anything yet.
    fn kind_of_name(&mut self, tree: &Tree) -> Option<Type> {
        let was_trial = std::mem::replace(&mut self.is_trial, true);
        let nodes = self.nodes;
        let made = self.expr(tree);
        self.nodes = nodes;
        self.is_trial = was_trial;
        made.map(|expr| self.type_of(&expr))
    }

    pub(super) fn comparable(&mut self, tree: &Tree, left: &Expr, right: &Expr) -> Option<()> {
        let (left_type, right_type) = (self.type_of(left), self.type_of(right));
        if may_compare((left, left_type), (right, right_type)) {
            return Some(());
        }
        let shown = |expr: &Expr, kind: Type| match expr {
            Expr::Literal(text @ Value::Text(_)) => {
                format!("the text '{}'", String::from_utf8_lossy(&text.to_text()))
            }
            _ => type_name(kind).to_owned(),
        };
        let message = format!(
            "{} is never compared with {}",
            shown(left, left_type),
            shown(right, right_type)
        );
        self.wrong(tree, message)
    }
}
