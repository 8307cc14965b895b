//! sqlparser's tree to ours: names, constants, operators.

use std::ops::Range;

use sqlparser::ast::{
    BinaryOperator, Expr as Tree, OrderByExpr, OrderBySort, Spanned, UnaryOperator,
    Value as Constant,
};
use sqlparser::parser::{Parser, ParserError};

use super::constant::number;
use super::group::Groups;
use super::source::Source;
use super::types::{may_be_number, type_name, type_of};
use super::{FieldTable, Inner, MAX_MISTAKES, Mistake, Scope};
use crate::expr::{Arithmetic, Comparison, Expr, Like, Pattern, Set, Type};
use crate::plan::{Named, Order};
use crate::value::{OwnedValue, Value};

/// Our tree is evaluated, carried and dropped recursively.
const MAX_DEPTH: usize = 100;
/// Nodes of one expression, counting what columns named in it stand for.
const MAX_NODES: usize = 100_000;

/// Makes our tree, and collects all mistakes on the way.
pub(super) struct Converter<'c> {
    pub(super) source: &'c Source<'c>,
    pub(super) fields: &'c mut FieldTable,
    pub(super) timezone: &'c str,
    /// Names mean columns of a finished group.
    pub(super) groups: Option<Groups<'c>>,
    /// Inside an aggregate's argument names mean the entry's again.
    pub(super) in_measure: bool,
    /// Only looks whether an expression is one that exists: no new fields, no mistakes.
    pub(super) is_trial: bool,
    pub(super) depth: usize,
    pub(super) nodes: usize,
    mistakes: Vec<Mistake>,
}

pub(super) fn read_order(parser: &mut Parser<'_>) -> Result<Vec<OrderByExpr>, ParserError> {
    parser.parse_comma_separated(Parser::parse_order_by_expr)
}

impl<'c> Converter<'c> {
    pub(super) fn over_entries(source: &'c Source<'c>, scope: &'c mut Scope<'_>) -> Converter<'c> {
        Converter {
            source,
            fields: scope.fields,
            timezone: scope.timezone,
            groups: None,
            in_measure: false,
            is_trial: false,
            depth: 0,
            nodes: 0,
            mistakes: Vec::new(),
        }
    }

    pub(super) fn over_groups(
        source: &'c Source<'c>,
        scope: &'c mut Scope<'_>,
        inner: &'c mut Inner,
        columns: &'c [Named],
    ) -> Converter<'c> {
        Converter {
            groups: Some(Groups { inner, columns }),
            ..Converter::over_entries(source, scope)
        }
    }

    pub(super) fn finish<T>(self, made: Option<T>) -> Result<T, Vec<Mistake>> {
        match made {
            Some(made) if self.mistakes.is_empty() => Ok(made),
            _ if self.mistakes.is_empty() => Err(vec![Mistake {
                span: 0..0,
                message: "this expression is not understood".to_owned(),
                help: None,
            }]),
            _ => Err(self.mistakes),
        }
    }

    /// Notes a mistake, and gives the None that stands for what could not be made.
    pub(super) fn wrong<T>(
        &mut self,
        tree: &impl Spanned,
        message: impl Into<String>,
    ) -> Option<T> {
        if self.is_trial {
            return None;
        }
        let span = self.source.place(tree);
        self.wrong_at(span, message, None)
    }

    pub(super) fn wrong_with<T>(
        &mut self,
        tree: &impl Spanned,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        if self.is_trial {
            return None;
        }
        let span = self.source.place(tree);
        self.wrong_at(span, message, Some(help.into()))
    }

    pub(super) fn wrong_at<T>(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Option<T> {
        if !self.is_trial && self.mistakes.len() < MAX_MISTAKES {
            self.mistakes.push(Mistake {
                span,
                message: message.into(),
                help,
            });
        }
        None
    }

    pub(super) fn type_of(&self, expr: &Expr) -> Type {
        type_of(expr, self.groups.as_ref().map(|groups| &*groups.inner))
    }

    /// Something that is true, false or NULL.
    pub(super) fn condition(&mut self, tree: &Tree) -> Option<Expr> {
        let expr = self.expr(tree)?;
        match self.type_of(&expr) {
            Type::Bool | Type::Any => Some(expr),
            kind => {
                let message = format!("expected a condition, found {}", type_name(kind));
                match kind {
                    Type::Number | Type::Text | Type::Time | Type::Level => {
                        self.wrong_with(tree, message, "compare it with something")
                    }
                    _ => self.wrong(tree, message),
                }
            }
        }
    }

    pub(super) fn order(&mut self, terms: &[OrderByExpr]) -> Option<Vec<Order>> {
        let order: Vec<Option<Order>> = terms
            .iter()
            .map(|term| {
                if term.options.nulls_first.is_some() || term.with_fill.is_some() {
                    return self.wrong(&term.expr, "NULL is always last in an order");
                }
                let descending = match &term.options.sort {
                    None | Some(OrderBySort::Asc) => false,
                    Some(OrderBySort::Desc) => true,
                    Some(OrderBySort::Using(_)) => {
                        return self.wrong(&term.expr, "`USING` is not part of job expressions");
                    }
                };
                let expr = self.expr(&term.expr)?;
                Some(Order { expr, descending })
            })
            .collect();
        order.into_iter().collect()
    }

    pub(super) fn expr(&mut self, tree: &Tree) -> Option<Expr> {
        let tree = bare(tree);
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return self.wrong(tree, "the expression is too large");
        }
        if self.depth == MAX_DEPTH {
            return self.wrong_with(
                tree,
                format!("the expression is more than {MAX_DEPTH} operators deep"),
                "only chains of AND and of OR may be longer",
            );
        }
        self.depth += 1;
        let expr = match self.known_group(tree) {
            Some(known) => Some(known),
            None => self.made(tree),
        };
        self.depth -= 1;
        expr
    }

    /// Counts what a name stands for.
    pub(super) fn substituted(&mut self, expr: &Expr) -> Option<Expr> {
        expr.walk(&mut |_| self.nodes += 1);
        (self.nodes <= MAX_NODES).then(|| expr.clone())
    }

    fn made(&mut self, tree: &Tree) -> Option<Expr> {
        match tree {
            Tree::Value(value) => {
                let value = self.constant(&value.value, value)?;
                Some(Expr::Literal(value))
            }
            Tree::Identifier(_)
            | Tree::CompoundIdentifier(_)
            | Tree::CompoundFieldAccess { .. } => self.name(tree),
            Tree::BinaryOp { left, op, right } => self.binary(tree, left, op, right),
            Tree::UnaryOp { op, expr } => match op {
                UnaryOperator::Not => {
                    let inner = self.condition(expr)?;
                    Some(Expr::Not(Box::new(inner)))
                }
                UnaryOperator::Minus => {
                    let inner = self.number(expr)?;
                    Some(match inner {
                        Expr::Literal(Value::Int(number)) if number != i128::MIN => {
                            Expr::Literal(Value::Int(-number))
                        }
                        Expr::Literal(Value::Float(number)) => Expr::Literal(Value::float(-number)),
                        inner => Expr::Negate(Box::new(inner)),
                    })
                }
                UnaryOperator::Plus => self.number(expr),
                _ => self.wrong(tree, format!("`{op}` is not part of job expressions")),
            },
            Tree::IsNull(inner) => {
                let inner = self.expr(inner)?;
                Some(Expr::IsNull(Box::new(inner)))
            }
            Tree::IsNotNull(inner) => {
                let inner = self.expr(inner)?;
                Some(not(Expr::IsNull(Box::new(inner))))
            }
            Tree::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let made: Option<Vec<Expr>> =
                    self.operands(&[&**expr, low, high]).into_iter().collect();
                let [value, low, high] = <[Expr; 3]>::try_from(made?).ok()?;
                self.comparable(tree, &value, &low)?;
                self.comparable(tree, &value, &high)?;
                let [value, low, high] = [value, low, high].map(Box::new);
                Some(negate(*negated, Expr::Between { value, low, high }))
            }
            Tree::InList {
                expr,
                list,
                negated,
            } => self.in_list(expr, list, *negated),
            Tree::Like {
                negated,
                expr,
                pattern,
                escape_char,
                ..
            } => self.like(expr, pattern, escape_char.as_deref(), *negated, false),
            Tree::ILike {
                negated,
                expr,
                pattern,
                escape_char,
                ..
            } => self.like(expr, pattern, escape_char.as_deref(), *negated, true),
            Tree::Function(call) => self.call(tree, call),
            Tree::IsTrue(_)
            | Tree::IsFalse(_)
            | Tree::IsNotTrue(_)
            | Tree::IsNotFalse(_)
            | Tree::IsUnknown(_)
            | Tree::IsNotUnknown(_)
            | Tree::IsDistinctFrom(..)
            | Tree::IsNotDistinctFrom(..) => self.wrong_with(
                tree,
                "after `IS` only `NULL` and `NOT NULL` are part of job expressions",
                "compare with `= true` or `= false`",
            ),
            Tree::Tuple(_) => self.wrong(tree, "a list stands only after IN"),
            Tree::Wildcard(_) | Tree::QualifiedWildcard(..) => self.wrong(
                tree,
                "`*` stands only in `count(*)` and alone in `SELECT *`",
            ),
            _ => self.wrong(tree, "this is not part of job expressions"),
        }
    }

    fn constant(&mut self, constant: &Constant, place: &impl Spanned) -> Option<OwnedValue> {
        match constant {
            Constant::Null => Some(Value::Null),
            Constant::Boolean(bool) => Some(Value::Bool(*bool)),
            Constant::SingleQuotedString(text) => Some(Value::owned_text(text.as_str())),
            Constant::Number(text, false) => match number(text) {
                Some(number) => Some(number),
                None => self.wrong(place, "this number is out of range"),
            },
            _ => self.wrong(
                place,
                "this kind of constant is not part of job expressions",
            ),
        }
    }

    /// The text that must stand here.
    pub(super) fn text_constant(&mut self, tree: &Tree, what: &str) -> Option<String> {
        match bare(tree) {
            Tree::Value(value) => match &value.value {
                Constant::SingleQuotedString(text) => Some(text.clone()),
                _ => self.wrong(tree, format!("expected {what} in single quotes")),
            },
            Tree::Identifier(name) if name.quote_style.is_some() => self.wrong_with(
                tree,
                format!("expected {what}, found a name"),
                "a text stands in single quotes; double quotes are for names",
            ),
            _ => self.wrong(
                tree,
                format!("expected {what} in single quotes, found an expression"),
            ),
        }
    }

    fn binary(
        &mut self,
        tree: &Tree,
        left: &Tree,
        operator: &BinaryOperator,
        right: &Tree,
    ) -> Option<Expr> {
        let comparison = match operator {
            BinaryOperator::And | BinaryOperator::Or => return self.chain(tree, operator),
            BinaryOperator::PGRegexMatch => return self.matches(left, right, false, false),
            BinaryOperator::PGRegexIMatch => return self.matches(left, right, false, true),
            BinaryOperator::PGRegexNotMatch => return self.matches(left, right, true, false),
            BinaryOperator::PGRegexNotIMatch => return self.matches(left, right, true, true),
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo => return self.arithmetic(left, operator, right),
            operator => comparison(operator),
        };
        let Some(operator) = comparison else {
            return self.wrong(tree, format!("`{operator}` is not part of job expressions"));
        };
        let made: Option<Vec<Expr>> = self.operands(&[left, right]).into_iter().collect();
        let [left, right] = <[Expr; 2]>::try_from(made?).ok()?;
        self.comparable(tree, &left, &right)?;
        Some(Expr::Compare {
            operator,
            left: Box::new(left),
            right: Box::new(right),
        })
    }

    /// A chain of one kind of AND or OR, however long, is one level.
    fn chain(&mut self, tree: &Tree, wanted: &BinaryOperator) -> Option<Expr> {
        let mut terms = Vec::new();
        let mut ahead = vec![tree];
        while let Some(tree) = ahead.pop() {
            match bare(tree) {
                Tree::BinaryOp { left, op, right } if op == wanted => {
                    ahead.extend([&**right, left])
                }
                tree => terms.push(tree),
            }
        }
        let terms: Vec<Option<Expr>> = terms.into_iter().map(|term| self.condition(term)).collect();
        let terms: Vec<Expr> = terms.into_iter().collect::<Option<_>>()?;
        Some(match wanted {
            BinaryOperator::And => Expr::And(terms),
            _ => Expr::Or(terms),
        })
    }

    fn arithmetic(&mut self, left: &Tree, operator: &BinaryOperator, right: &Tree) -> Option<Expr> {
        let (left, right) = (self.number(left), self.number(right));
        Some(Expr::Arithmetic {
            operator: match operator {
                BinaryOperator::Plus => Arithmetic::Add,
                BinaryOperator::Minus => Arithmetic::Subtract,
                BinaryOperator::Multiply => Arithmetic::Multiply,
                BinaryOperator::Divide => Arithmetic::Divide,
                _ => Arithmetic::Remainder,
            },
            left: Box::new(left?),
            right: Box::new(right?),
        })
    }

    /// Something that may be a number.
    pub(super) fn number(&mut self, tree: &Tree) -> Option<Expr> {
        let expr = self.expr(tree)?;
        let kind = self.type_of(&expr);
        if may_be_number(&expr, kind) {
            return Some(expr);
        }
        self.wrong(
            tree,
            format!("expected a number, found {}", type_name(kind)),
        )
    }

    /// Something with a text: all but a condition and what is no single value.
    pub(super) fn textual(&mut self, tree: &Tree) -> Option<Expr> {
        let expr = self.expr(tree)?;
        match self.type_of(&expr) {
            Type::Bool => self.wrong(tree, "expected a text, found a condition"),
            _ => Some(expr),
        }
    }

    fn in_list(&mut self, value: &Tree, list: &[Tree], negated: bool) -> Option<Expr> {
        let trees: Vec<&Tree> = std::iter::once(value).chain(list).collect();
        let mut made = self.operands(&trees).into_iter();
        let value = made.next().flatten();
        let list_made: Vec<Option<Expr>> = made
            .zip(list)
            .map(|(item, tree)| {
                let item = item?;
                if let Some(value) = &value {
                    self.comparable(tree, value, &item)?;
                }
                Some(item)
            })
            .collect();
        let list: Vec<Expr> = list_made.into_iter().collect::<Option<_>>()?;
        let value = Box::new(value?);
        let constants: Option<Vec<OwnedValue>> = list
            .iter()
            .map(|item| match item {
                Expr::Literal(value) => Some(value.clone()),
                _ => None,
            })
            .collect();
        let inside = match constants {
            Some(constants) => Expr::InSet {
                value,
                set: Box::new(Set::new(constants)),
            },
            None => Expr::In { value, list },
        };
        Some(negate(negated, inside))
    }

    fn like(
        &mut self,
        value: &Tree,
        pattern: &Tree,
        escape: Option<&Tree>,
        negated: bool,
        any_case: bool,
    ) -> Option<Expr> {
        let made = self.textual(value);
        let text = self.text_constant(pattern, "a pattern");
        let escape = match escape {
            None => None,
            Some(tree) => {
                let text = self.text_constant(tree, "one character")?;
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(char), None) => Some(char),
                    _ => return self.wrong(tree, "ESCAPE takes exactly one character"),
                }
            }
        };
        let like = match Like::new(&text?, escape, any_case) {
            Ok(like) => like,
            Err(message) => return self.wrong(pattern, message),
        };
        let value = Box::new(made?);
        Some(negate(negated, Expr::Like { value, like }))
    }

    fn matches(
        &mut self,
        value: &Tree,
        pattern: &Tree,
        negated: bool,
        any_case: bool,
    ) -> Option<Expr> {
        let made = self.textual(value);
        let pattern = self.pattern(pattern, any_case);
        let value = Box::new(made?);
        let pattern = pattern?;
        Some(negate(negated, Expr::Matches { value, pattern }))
    }

    pub(super) fn pattern(&mut self, tree: &Tree, any_case: bool) -> Option<Pattern> {
        let text = self.text_constant(tree, "a regex")?;
        match Pattern::new(&text, any_case) {
            Ok(pattern) => Some(pattern),
            Err(message) => self.wrong(tree, format!("this regex is wrong: {message}")),
        }
    }
}

/// Without parentheses around it.
pub(super) fn bare(mut tree: &Tree) -> &Tree {
    while let Tree::Nested(inner) = tree {
        tree = inner;
    }
    tree
}

pub(super) fn comparison(operator: &BinaryOperator) -> Option<Comparison> {
    Some(match operator {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn not(expr: Expr) -> Expr {
    Expr::Not(Box::new(expr))
}

fn negate(negated: bool, expr: Expr) -> Expr {
    if negated { not(expr) } else { expr }
}
