//! Checks and alerts: conditions over the finished rows of operators.

use sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr as Tree, FunctionArg, FunctionArgExpr, FunctionArguments,
    ObjectNamePart, Spanned, Subscript, UnaryOperator, Value as Constant,
};

use super::constant::number;
use super::names::near;
use super::scalar::{bare, comparison};
use super::source::Source;
use super::{MAX_MISTAKES, Mistake, ResultOperator};
use crate::expr::{Arithmetic, Comparison};
use crate::job::{Cell, Fold, ResultExpr};
use crate::value::{OwnedValue, Value};

const MAX_DEPTH: usize = 100;

/// What a result's value is, as far as the text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Condition,
    Number,
    Text,
    Any,
}

struct Checker<'c> {
    source: &'c Source<'c>,
    operators: &'c [ResultOperator],
    has_baseline: bool,
    depth: usize,
    mistakes: Vec<Mistake>,
}

pub(super) fn compile(
    source: &Source<'_>,
    tree: &Tree,
    operators: &[ResultOperator],
    has_baseline: bool,
) -> Result<ResultExpr, Vec<Mistake>> {
    let mut checker = Checker {
        source,
        operators,
        has_baseline,
        depth: 0,
        mistakes: Vec::new(),
    };
    let made = checker.condition(tree);
    match made {
        Some(made) if checker.mistakes.is_empty() => Ok(made),
        _ => Err(checker.mistakes),
    }
}

impl Checker<'_> {
    fn wrong<T>(&mut self, tree: &impl Spanned, message: impl Into<String>) -> Option<T> {
        self.wrong_with(tree, message, None)
    }

    fn wrong_with<T>(
        &mut self,
        tree: &impl Spanned,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Option<T> {
        if self.mistakes.len() < MAX_MISTAKES {
            self.mistakes.push(Mistake {
                span: self.source.place(tree),
                message: message.into(),
                help,
            });
        }
        None
    }

    fn condition(&mut self, tree: &Tree) -> Option<ResultExpr> {
        let (made, kind) = self.expr(tree)?;
        match kind {
            Kind::Condition | Kind::Any => Some(made),
            Kind::Number | Kind::Text => self.wrong_with(
                tree,
                "expected a condition, found a value",
                Some("compare it with something, like `rows(errors) = 0`".to_owned()),
            ),
        }
    }

    fn number(&mut self, tree: &Tree) -> Option<ResultExpr> {
        let (made, kind) = self.expr(tree)?;
        match kind {
            Kind::Number | Kind::Any => Some(made),
            Kind::Condition => self.wrong(tree, "expected a number, found a condition"),
            Kind::Text => self.wrong(tree, "expected a number, found a text"),
        }
    }

    fn expr(&mut self, tree: &Tree) -> Option<(ResultExpr, Kind)> {
        let tree = bare(tree);
        if self.depth == MAX_DEPTH {
            let message = format!("the expression is more than {MAX_DEPTH} operators deep");
            return self.wrong(tree, message);
        }
        self.depth += 1;
        let made = self.made(tree);
        self.depth -= 1;
        made
    }

    fn made(&mut self, tree: &Tree) -> Option<(ResultExpr, Kind)> {
        match tree {
            Tree::Value(value) => {
                let literal = self.constant(&value.value, tree)?;
                let kind = match literal {
                    Value::Bool(_) => Kind::Condition,
                    Value::Int(_) | Value::Float(_) => Kind::Number,
                    Value::Text(_) => Kind::Text,
                    _ => Kind::Any,
                };
                Some((ResultExpr::Literal(literal), kind))
            }
            Tree::Identifier(name) => match name.value.as_str() {
                "completeness" => Some((ResultExpr::Completeness, Kind::Number)),
                // What it is of is told by the comparison that it stands in.
                "baseline" if self.has_baseline => {
                    Some((ResultExpr::Baseline(Box::new(UNSETTLED)), Kind::Any))
                }
                "baseline" => self.wrong_with(
                    tree,
                    "there is no baseline here",
                    Some(
                        "give the check `baseline = \"…\"`, the file that `run --update-baseline` writes".to_owned(),
                    ),
                ),
                other => {
                    let operator = self
                        .operators
                        .iter()
                        .find(|operator| operator.name == other);
                    let help = match operator {
                        Some(operator) => match operator.columns.first() {
                            Some(column) => {
                                format!(
                                    "write `rows({other})`, or a column like `{other}.{column}`"
                                )
                            }
                            None => format!("write `rows({other})`"),
                        },
                        None => {
                            "write a column as `operator.column`, or `rows(operator)`".to_owned()
                        }
                    };
                    let message = format!("`{other}` is no value of a result");
                    self.wrong_with(tree, message, Some(help))
                }
            },
            Tree::CompoundIdentifier(_) | Tree::CompoundFieldAccess { .. } => {
                let cell = self.cell(tree)?;
                Some((ResultExpr::Cell(cell), Kind::Any))
            }
            Tree::Function(call) => {
                let name = match call.name.0.as_slice() {
                    [ObjectNamePart::Identifier(name)] => name.value.to_lowercase(),
                    _ => return self.wrong(tree, "a function's name has no parts"),
                };
                let argument = match &call.args {
                    FunctionArguments::List(list)
                        if list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
                    {
                        match list.args.as_slice() {
                            [FunctionArg::Unnamed(FunctionArgExpr::Expr(tree))] => Some(bare(tree)),
                            _ => None,
                        }
                    }
                    _ => None,
                };
                self.call(tree, &name, argument)
            }
            Tree::BinaryOp { left, op, right } => self.binary(tree, left, op, right),
            Tree::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            } => {
                let inner = self.condition(expr)?;
                Some((ResultExpr::Not(Box::new(inner)), Kind::Condition))
            }
            Tree::UnaryOp {
                op: UnaryOperator::Plus,
                expr,
            } => Some((self.number(expr)?, Kind::Number)),
            Tree::UnaryOp {
                op: UnaryOperator::Minus,
                expr,
            } => {
                let inner = self.number(expr)?;
                Some((ResultExpr::Negate(Box::new(inner)), Kind::Number))
            }
            Tree::IsNull(inner) | Tree::IsNotNull(inner) => {
                let (inner, _) = self.expr(inner)?;
                if is_unsettled(&inner) {
                    return self.wrong_with(
                        tree,
                        "here `baseline` is of nothing",
                        Some(BASELINE_HELP.to_owned()),
                    );
                }
                let is_null = ResultExpr::IsNull(Box::new(inner));
                let made = match tree {
                    Tree::IsNull(_) => is_null,
                    _ => ResultExpr::Not(Box::new(is_null)),
                };
                Some((made, Kind::Condition))
            }
            Tree::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let compare = |operator, left, right| ResultExpr::Compare {
                    operator,
                    left: Box::new(left),
                    right: Box::new(right),
                };
                let (value, low, high) = (self.expr(expr), self.expr(low), self.expr(high));
                let ((value, _), (low, _), (high, _)) = (value?, low?, high?);
                let (above, low) = self.settled(tree, value.clone(), low)?;
                let (below, high) = self.settled(tree, value, high)?;
                let inside = ResultExpr::And(vec![
                    compare(Comparison::GreaterOrEqual, above, low),
                    compare(Comparison::LessOrEqual, below, high),
                ]);
                let made = if *negated {
                    ResultExpr::Not(Box::new(inside))
                } else {
                    inside
                };
                Some((made, Kind::Condition))
            }
            _ => self.wrong(tree, "this is not part of checks and alerts"),
        }
    }

    fn constant(&mut self, constant: &Constant, tree: &Tree) -> Option<OwnedValue> {
        match constant {
            Constant::Null => Some(Value::Null),
            Constant::Boolean(bool) => Some(Value::Bool(*bool)),
            Constant::SingleQuotedString(text) => Some(Value::owned_text(text.as_str())),
            Constant::Number(text, false) => match number(text) {
                Some(number) => Some(number),
                None => self.wrong(tree, "this number is out of range"),
            },
            _ => self.wrong(
                tree,
                "this kind of constant is not part of checks and alerts",
            ),
        }
    }

    fn call(
        &mut self,
        tree: &Tree,
        name: &str,
        argument: Option<&Tree>,
    ) -> Option<(ResultExpr, Kind)> {
        let fold = match name {
            "rows" => {
                let Some(Tree::Identifier(operator)) = argument else {
                    return self.wrong(tree, "`rows` takes the name of an operator");
                };
                let index = self.operator(tree_of(argument, tree), &operator.value)?;
                return Some((ResultExpr::Rows(index), Kind::Number));
            }
            "max" => Fold::Max,
            "min" => Fold::Min,
            "sum" => Fold::Sum,
            "avg" => Fold::Avg,
            "count" => Fold::Count,
            other => {
                let known = ["rows", "max", "min", "sum", "avg", "count"];
                let help = match near(other, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "there are rows, max, min, sum, avg and count".to_owned(),
                };
                let message = format!("`{other}` is no function over results");
                return self.wrong_with(tree, message, Some(help));
            }
        };
        match argument {
            Some(argument @ (Tree::CompoundIdentifier(_) | Tree::CompoundFieldAccess { .. })) => {
                let cell = self.cell(argument)?;
                let kind = match fold {
                    Fold::Max | Fold::Min => Kind::Any,
                    Fold::Sum | Fold::Avg | Fold::Count => Kind::Number,
                };
                Some((ResultExpr::Fold { fold, cell }, kind))
            }
            _ => {
                let message = format!("`{name}` takes a column, like `{name}(operator.column)`");
                self.wrong(tree, message)
            }
        }
    }

    fn binary(
        &mut self,
        tree: &Tree,
        left: &Tree,
        operator: &BinaryOperator,
        right: &Tree,
    ) -> Option<(ResultExpr, Kind)> {
        if matches!(operator, BinaryOperator::And | BinaryOperator::Or) {
            let mut terms = Vec::new();
            let mut ahead = vec![tree];
            while let Some(tree) = ahead.pop() {
                match bare(tree) {
                    Tree::BinaryOp { left, op, right } if op == operator => {
                        ahead.extend([&**right, left]);
                    }
                    tree => terms.push(self.condition(tree)),
                }
            }
            let terms: Vec<ResultExpr> = terms.into_iter().collect::<Option<_>>()?;
            let made = match operator {
                BinaryOperator::And => ResultExpr::And(terms),
                _ => ResultExpr::Or(terms),
            };
            return Some((made, Kind::Condition));
        }
        if let Some(operator) = comparison(operator) {
            let (left, right) = (self.expr(left), self.expr(right));
            let ((left, left_kind), (right, right_kind)) = (left?, right?);
            let is_odd =
                left_kind != right_kind && left_kind != Kind::Any && right_kind != Kind::Any;
            if is_odd {
                return self.wrong(
                    tree,
                    "these two are never compared: they are of different kinds",
                );
            }
            let (left, right) = self.settled(tree, left, right)?;
            let made = ResultExpr::Compare {
                operator,
                left: Box::new(left),
                right: Box::new(right),
            };
            return Some((made, Kind::Condition));
        }
        let operator = match operator {
            BinaryOperator::Plus => Arithmetic::Add,
            BinaryOperator::Minus => Arithmetic::Subtract,
            BinaryOperator::Multiply => Arithmetic::Multiply,
            BinaryOperator::Divide => Arithmetic::Divide,
            BinaryOperator::Modulo => Arithmetic::Remainder,
            _ => {
                let message = format!("`{operator}` is not part of checks and alerts");
                return self.wrong(tree, message);
            }
        };
        let (left, right) = (self.number(left), self.number(right));
        let made = ResultExpr::Arithmetic {
            operator,
            left: Box::new(left?),
            right: Box::new(right?),
        };
        Some((made, Kind::Number))
    }

    /// Says what `baseline` is of: the side of the comparison that it does not stand on, or else the one figure beside it.
    fn settled(
        &mut self,
        tree: &Tree,
        mut left: ResultExpr,
        mut right: ResultExpr,
    ) -> Option<(ResultExpr, ResultExpr)> {
        let (with, without) = match (is_unsettled(&left), is_unsettled(&right)) {
            (false, false) => return Some((left, right)),
            (true, true) => {
                return self.wrong(tree, "`baseline` stands on one side of a comparison");
            }
            (true, false) => (&mut left, &right),
            (false, true) => (&mut right, &left),
        };
        let measured = match (without.figures().as_slice(), with.figures().as_slice()) {
            ([_, ..], _) => without.clone(),
            ([], [figure]) => (*figure).clone(),
            _ => {
                let help = Some(BASELINE_HELP.to_owned());
                return self.wrong_with(tree, "here `baseline` is of nothing", help);
            }
        };
        for figure in measured.figures() {
            let ResultExpr::Cell(cell) = figure else {
                continue;
            };
            let operator = &self.operators[usize::from(cell.operator)];
            if !operator.has_key {
                let message = format!(
                    "rows of `{}` have nothing by which those of an earlier run are found",
                    operator.name
                );
                let help = format!(
                    "compare one figure, like `max({}.{})`",
                    operator.name, cell.column
                );
                return self.wrong_with(tree, message, Some(help));
            }
        }
        settle(with, &measured);
        Some((left, right))
    }

    /// `latency.p95`, `latency.p95[service = 'pay', minute = '…']`, `latency."p 95"`
    fn cell(&mut self, tree: &Tree) -> Option<Cell> {
        let (names, access) = match tree {
            Tree::CompoundIdentifier(names) => {
                let names: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
                (names, None)
            }
            Tree::CompoundFieldAccess { root, access_chain } => {
                let mut names = Vec::new();
                match &**root {
                    Tree::Identifier(name) => names.push(name.value.as_str()),
                    _ => return self.wrong(tree, "expected `operator.column`"),
                }
                let mut access = None;
                for part in access_chain {
                    match part {
                        AccessExpr::Dot(Tree::Identifier(name)) if access.is_none() => {
                            names.push(&name.value);
                        }
                        AccessExpr::Subscript(Subscript::Index { index }) if access.is_none() => {
                            access = Some(index);
                        }
                        _ => return self.wrong(tree, "expected `operator.column[filter]`"),
                    }
                }
                (names, access)
            }
            _ => return self.wrong(tree, "expected `operator.column`"),
        };
        let [operator, path @ ..] = names.as_slice() else {
            return self.wrong(tree, "expected `operator.column`");
        };
        if path.is_empty() {
            return self.wrong(
                tree,
                "expected a column before the filter: `operator.column[…]`",
            );
        }
        let operator = self.operator(tree, operator)?;
        let column = self.column(tree, operator, &path.join("."))?;
        let mut filter = Vec::new();
        if let Some(tree) = access {
            self.filter(tree, operator, &mut filter)?;
        }
        Some(Cell {
            operator,
            column,
            filter,
        })
    }

    fn filter(
        &mut self,
        tree: &Tree,
        operator: u16,
        filter: &mut Vec<(String, OwnedValue)>,
    ) -> Option<()> {
        let wrong = "a filter is `column = constant`, several joined by AND or a comma";
        let mut ahead = vec![tree];
        while let Some(tree) = ahead.pop() {
            match bare(tree) {
                Tree::Tuple(terms) => ahead.extend(terms.iter().rev()),
                Tree::BinaryOp {
                    left,
                    op: BinaryOperator::And,
                    right,
                } => ahead.extend([&**right, left]),
                Tree::BinaryOp {
                    left,
                    op: BinaryOperator::Eq,
                    right,
                } => {
                    let name = match bare(left) {
                        Tree::Identifier(name) => name.value.clone(),
                        Tree::CompoundIdentifier(names) => {
                            let names: Vec<&str> =
                                names.iter().map(|name| name.value.as_str()).collect();
                            names.join(".")
                        }
                        _ => return self.wrong(&**left, wrong),
                    };
                    let column = self.column(left, operator, &name)?;
                    let value = match bare(right) {
                        tree @ Tree::Value(value) => self.constant(&value.value, tree)?,
                        tree @ Tree::UnaryOp {
                            op: UnaryOperator::Minus,
                            ..
                        } => match self.number(tree)? {
                            ResultExpr::Negate(number) => match *number {
                                ResultExpr::Literal(Value::Int(number)) => {
                                    Value::Int(number.wrapping_neg())
                                }
                                ResultExpr::Literal(Value::Float(number)) => Value::float(-number),
                                _ => return self.wrong(tree, wrong),
                            },
                            _ => return self.wrong(tree, wrong),
                        },
                        tree => return self.wrong(tree, wrong),
                    };
                    filter.push((column, value));
                }
                tree => return self.wrong(tree, wrong),
            }
        }
        Some(())
    }

    fn operator(&mut self, tree: &Tree, name: &str) -> Option<u16> {
        let found = self
            .operators
            .iter()
            .position(|operator| operator.name == name);
        if let Some(index) = found {
            return u16::try_from(index).ok();
        }
        let operators = self.operators;
        let help = near(
            name,
            operators.iter().map(|operator| operator.name.as_str()),
        )
        .map(|near| format!("did you mean `{near}`?"));
        self.wrong_with(tree, format!("`{name}` is no operator of this job"), help)
    }

    fn column(&mut self, tree: &Tree, operator: u16, name: &str) -> Option<String> {
        let operators = self.operators;
        let operator = &operators[usize::from(operator)];
        if operator.columns.iter().any(|column| column == name) {
            return Some(name.to_owned());
        }
        let help = match near(name, operator.columns.iter().map(String::as_str)) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if operator.columns.len() <= 12 && !operator.columns.is_empty() => {
                Some(format!("its columns are {}", operator.columns.join(", ")))
            }
            None => None,
        };
        let message = format!("`{}` has no column `{name}`", operator.name);
        self.wrong_with(tree, message, help)
    }
}

/// A baseline of which it is not known yet what it is of.
const UNSETTLED: ResultExpr = ResultExpr::Literal(Value::Null);

const BASELINE_HELP: &str = "compare it with a figure, like `max(latency.p95) <= baseline * 1.1`";

fn is_unsettled(expr: &ResultExpr) -> bool {
    let mut found = false;
    expr.walk(&mut |expr| {
        found |= matches!(expr, ResultExpr::Baseline(of) if **of == UNSETTLED);
    });
    found
}

/// Puts what they are of into the baselines of a value.
fn settle(expr: &mut ResultExpr, measured: &ResultExpr) {
    match expr {
        ResultExpr::Baseline(of) => **of = measured.clone(),
        ResultExpr::Negate(inner) => settle(inner, measured),
        ResultExpr::Arithmetic { left, right, .. } => {
            settle(left, measured);
            settle(right, measured);
        }
        _ => {}
    }
}

fn tree_of<'t>(argument: Option<&'t Tree>, whole: &'t Tree) -> &'t Tree {
    argument.unwrap_or(whole)
}
