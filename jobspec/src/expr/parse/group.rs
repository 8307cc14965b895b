//! Names over finished groups: columns, group columns, and expressions that the job groups by.

use sqlparser::ast::Expr as Tree;

use super::Inner;
use super::names::near;
use super::scalar::Converter;
use crate::expr::{Expr, Measure};
use crate::plan::Named;

/// Measures of one operator: each is a state in every group.
const MAX_MEASURES: usize = 1_000;

/// What a name may stand for over finished groups.
pub(super) struct Groups<'c> {
    pub(super) inner: &'c mut Inner,
    pub(super) columns: &'c [Named],
}

impl Converter<'_> {
    /// A name over finished groups.
    pub(super) fn group_name(&mut self, tree: &Tree, name: &str) -> Option<Expr> {
        let groups = self.groups.as_ref()?;
        let columns = groups.columns;
        if let Some(column) = columns.iter().find(|column| column.name == name) {
            return self.substituted(&column.expr);
        }
        if let Some(index) = groups
            .inner
            .group
            .iter()
            .position(|group| group.name == name)
        {
            return Some(Expr::Output(index as u16));
        }
        match self.grouped_expr(tree) {
            Some(known) => Some(known),
            None => self.ungrouped(tree, name),
        }
    }

    /// The group column that an expression is, written out again: `lower(service)` after `GROUP BY lower(service)`.
    pub(super) fn known_group(&mut self, tree: &Tree) -> Option<Expr> {
        let groups = self.groups.as_ref()?;
        let is_simple = |group: &Named| matches!(group.expr, Expr::Field(_) | Expr::Column(_));
        let may_be = match tree {
            // `group_name` looks for names first.
            Tree::Identifier(_) | Tree::Value(_) => false,
            Tree::CompoundIdentifier(_) | Tree::CompoundFieldAccess { .. } => true,
            _ => !groups.inner.group.iter().all(is_simple),
        };
        if !may_be || self.in_measure || self.is_trial {
            return None;
        }
        self.grouped_expr(tree)
    }

    fn grouped_expr(&mut self, tree: &Tree) -> Option<Expr> {
        if self.groups.as_ref()?.inner.group.is_empty() {
            return None;
        }
        let was = (self.in_measure, self.is_trial);
        (self.in_measure, self.is_trial) = (true, true);
        let made = self.expr(tree);
        (self.in_measure, self.is_trial) = was;
        let made = made?;
        let group = &self.groups.as_ref()?.inner.group;
        let index = group.iter().position(|group| group.expr == made)?;
        Some(Expr::Output(index as u16))
    }

    pub(super) fn ungrouped(&mut self, tree: &Tree, name: &str) -> Option<Expr> {
        let groups = self.groups.as_ref()?;
        let names = groups
            .columns
            .iter()
            .chain(&groups.inner.group)
            .map(|named| named.name.as_str());
        let help = match near(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("group by it, or take an aggregate of it like `max({name})`"),
        };
        let message = format!(
            "`{name}` has many values in a group: it is no group column and in no aggregate"
        );
        self.wrong_with(tree, message, help)
    }

    /// The place of a measure in the inner row; equal ones share it.
    pub(super) fn measured(&mut self, tree: &Tree, measure: Measure) -> Option<Expr> {
        let inner = &mut *self.groups.as_mut()?.inner;
        let index = match inner.measures.iter().position(|known| *known == measure) {
            Some(index) => index,
            None if inner.measures.len() == MAX_MEASURES => {
                let message = format!("more than {MAX_MEASURES} aggregates");
                return self.wrong(tree, message);
            }
            None => {
                inner.measures.push(measure);
                inner.measures.len() - 1
            }
        };
        let index = u16::try_from(inner.group.len() + index).ok()?;
        Some(Expr::Output(index))
    }
}
