//! Calls: the functions over an entry and the aggregates over a group, their arguments checked and compiled.

use sqlparser::ast::{
    DuplicateTreatment, Expr as Tree, Function as Call, FunctionArg, FunctionArgExpr,
    FunctionArguments, ObjectNamePart,
};

use super::constant::{duration_ns, network};
use super::names::near;
use super::scalar::{Converter, bare};
use super::types::type_name;
use crate::expr::function::MAX_OVERLAP;
use crate::expr::{Expr, Function, Measure, Search, Type};
use crate::value::Value;

const FUNCTIONS: &[&str] = &[
    "search", "extract", "bucket", "hour", "weekday", "lower", "upper", "length", "coalesce",
    "cidr", "exists", "number",
];

const AGGREGATES: &[&str] = &[
    "count",
    "count_if",
    "sum",
    "avg",
    "min",
    "max",
    "stddev",
    "percentile",
    "median",
    "distinct",
    "top",
    "first",
    "last",
    "rate",
];

/// Values that one `top` may ask for.
const MAX_TOP: u32 = 10_000;

/// A call, taken apart.
struct Arguments<'t> {
    name: String,
    trees: Vec<&'t Tree>,
    is_distinct: bool,
    /// `count(*)`
    is_star: bool,
}

impl Converter<'_> {
    pub(super) fn call(&mut self, tree: &Tree, call: &Call) -> Option<Expr> {
        let arguments = self.arguments(tree, call)?;
        let name = arguments.name.as_str();
        if AGGREGATES.contains(&name) {
            return self.aggregate(tree, &arguments);
        }
        if !FUNCTIONS.contains(&name) {
            let message = format!("`{name}` is no function");
            return match near(name, FUNCTIONS.iter().chain(AGGREGATES).copied()) {
                Some(near) => self.wrong_with(call, message, format!("did you mean `{near}`?")),
                None => self.wrong(call, message),
            };
        }
        if arguments.is_distinct || arguments.is_star {
            let sign = if arguments.is_star { "*" } else { "DISTINCT" };
            return self.wrong(tree, format!("`{name}` takes no `{sign}`"));
        }
        self.function(tree, name, &arguments.trees)
    }

    fn arguments<'t>(&mut self, tree: &Tree, call: &'t Call) -> Option<Arguments<'t>> {
        let name = match call.name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => name.value.to_lowercase(),
            _ => return self.wrong(tree, "a function's name has no parts"),
        };
        let is_plain = call.over.is_none()
            && call.filter.is_none()
            && call.null_treatment.is_none()
            && call.within_group.is_empty()
            && matches!(call.parameters, FunctionArguments::None);
        let list = match &call.args {
            FunctionArguments::List(list) if is_plain && list.clauses.is_empty() => list,
            _ => return self.wrong(tree, "this call is not part of job expressions"),
        };
        let mut arguments = Arguments {
            name,
            trees: Vec::new(),
            is_distinct: list.duplicate_treatment == Some(DuplicateTreatment::Distinct),
            is_star: false,
        };
        for argument in &list.args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(tree)) => arguments.trees.push(tree),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => arguments.is_star = true,
                _ => return self.wrong(tree, "this argument is not part of job expressions"),
            }
        }
        if arguments.is_star && list.args.len() > 1 {
            return self.wrong(tree, "`*` stands alone in `count(*)`");
        }
        Some(arguments)
    }

    fn function(&mut self, tree: &Tree, name: &str, trees: &[&Tree]) -> Option<Expr> {
        let (least, most) = match name {
            "search" | "cidr" => (2, 2),
            "extract" | "bucket" => (2, 3),
            "coalesce" => (1, usize::MAX),
            _ => (1, 1),
        };
        self.arity(tree, name, trees, least, most)?;
        let (function, arguments) = match name {
            "search" => {
                let text = self.textual(trees[0]);
                let query = self.text_constant(trees[1], "a search")?;
                let search = match Search::new(&query) {
                    Ok(search) => search,
                    Err(error) => {
                        let span = self.inside_text(trees[1], &query, error.span);
                        return self.wrong_at(span, error.message, None);
                    }
                };
                (Function::Search(search), vec![text?])
            }
            "extract" => {
                let text = self.textual(trees[0]);
                let pattern = self.pattern(trees[1], false)?;
                let groups = pattern.regex().captures_len() - 1;
                let group = match trees.get(2) {
                    None => u32::from(groups > 0),
                    Some(tree) => match self.whole_constant(tree, "the number of a group")? {
                        group if group as usize <= groups => group,
                        group => {
                            let message = match groups {
                                0 => format!("there is no group {group}: the regex has none"),
                                1 => format!("there is no group {group}: the regex has one"),
                                _ => format!("there is no group {group}: the regex has {groups}"),
                            };
                            return self.wrong(*tree, message);
                        }
                    },
                };
                (Function::Extract { pattern, group }, vec![text?])
            }
            "bucket" => {
                let time = self.time(trees[0]);
                let width_ns = self.duration(trees[1]);
                let step_ns = match trees.get(2) {
                    Some(tree) => self.duration(tree),
                    None => width_ns,
                };
                let (width_ns, step_ns) = (width_ns?, step_ns?);
                if let Some(tree) = trees.get(2) {
                    if step_ns > width_ns {
                        return self.wrong(*tree, "the step is longer than the bucket");
                    }
                    if (width_ns - 1) / step_ns >= MAX_OVERLAP {
                        let message = format!("a time would be in more than {MAX_OVERLAP} buckets");
                        return self.wrong(*tree, message);
                    }
                }
                (Function::Bucket { width_ns, step_ns }, vec![time?])
            }
            "hour" | "weekday" => {
                let time = self.time(trees[0]);
                let zone = match self.timezone.parse() {
                    Ok(zone) => zone,
                    Err(message) => return self.wrong(tree, message),
                };
                let function = match name {
                    "hour" => Function::Hour { zone },
                    _ => Function::Weekday { zone },
                };
                (function, vec![time?])
            }
            "lower" => (Function::Lower, vec![self.textual(trees[0])?]),
            "upper" => (Function::Upper, vec![self.textual(trees[0])?]),
            "length" => (Function::Length, vec![self.textual(trees[0])?]),
            "number" => (Function::Number, vec![self.textual(trees[0])?]),
            "cidr" => {
                let address = self.textual(trees[0]);
                let text = self.text_constant(trees[1], "a network")?;
                match network(&text) {
                    Ok((network, bits)) => (Function::Cidr { network, bits }, vec![address?]),
                    Err(message) => return self.wrong(trees[1], message),
                }
            }
            "exists" => match self.expr(trees[0])? {
                field @ Expr::Field(_) => (Function::Exists, vec![field]),
                // A column is always there; what may be missing is its value.
                column @ Expr::Column(_) => {
                    return Some(Expr::Not(Box::new(Expr::IsNull(Box::new(column)))));
                }
                _ => return self.wrong(trees[0], "expected the name of a field"),
            },
            _ => {
                let made: Vec<Option<Expr>> = trees.iter().map(|tree| self.expr(tree)).collect();
                (Function::Coalesce, made.into_iter().collect::<Option<_>>()?)
            }
        };
        Some(Expr::Call {
            function,
            arguments,
        })
    }

    fn aggregate(&mut self, tree: &Tree, arguments: &Arguments<'_>) -> Option<Expr> {
        let name = arguments.name.as_str();
        if self.in_measure {
            return self.wrong(
                tree,
                format!("the aggregate `{name}` stands inside another one"),
            );
        }
        if self.groups.is_none() {
            let message = format!("`{name}` is an aggregate: here is a single entry");
            return self.wrong_with(
                tree,
                message,
                "aggregates stand in `select`, `having` and `order` of an aggregate or a session",
            );
        }
        if arguments.is_star {
            return match name {
                "count" => self.measured(tree, Measure::Count),
                _ => self.wrong(tree, format!("`{name}` takes no `*`")),
            };
        }
        if arguments.is_distinct && name != "count" {
            return self.wrong(tree, format!("`{name}` takes no `DISTINCT`"));
        }
        let trees = arguments.trees.as_slice();
        let wanted = if matches!(name, "percentile" | "top") {
            2
        } else {
            1
        };
        self.arity(tree, name, trees, wanted, wanted)?;
        self.in_measure = true;
        let of = match name {
            "count_if" | "rate" => self.condition(trees[0]),
            "sum" | "avg" | "stddev" => self.number(trees[0]),
            _ => self.expr(trees[0]),
        };
        self.in_measure = false;
        let measure = match name {
            "count" if arguments.is_distinct => Measure::Distinct(of?),
            "count" => Measure::CountOf(of?),
            "count_if" => Measure::CountIf(of?),
            "sum" => Measure::Sum(of?),
            "avg" => Measure::Avg(of?),
            "min" => Measure::Min(of?),
            "max" => Measure::Max(of?),
            "stddev" => Measure::Stddev(of?),
            "median" => Measure::Percentile(of?, 50.0),
            "percentile" => match self.number_constant(trees[1]) {
                Some(percent) if (0.0..=100.0).contains(&percent) => {
                    Measure::Percentile(of?, percent)
                }
                _ => return self.wrong(trees[1], "expected a number from 0 to 100"),
            },
            "distinct" => Measure::Distinct(of?),
            "top" => match self.whole_constant(trees[1], "a whole number")? {
                count @ 1..=MAX_TOP => Measure::Top(of?, count),
                _ => {
                    let message = format!("expected a whole number from 1 to {MAX_TOP}");
                    return self.wrong(trees[1], message);
                }
            },
            "first" => Measure::First(of?),
            "last" => Measure::Last(of?),
            _ => Measure::Rate(of?),
        };
        self.measured(tree, measure)
    }

    fn arity(
        &mut self,
        tree: &Tree,
        name: &str,
        trees: &[&Tree],
        least: usize,
        most: usize,
    ) -> Option<()> {
        if (least..=most).contains(&trees.len()) {
            return Some(());
        }
        let wanted = match (least, most) {
            (1, 1) => "one argument".to_owned(),
            (_, usize::MAX) => "at least one argument".to_owned(),
            (least, most) if least == most => format!("{least} arguments"),
            (least, most) => format!("{least} or {most} arguments"),
        };
        let message = format!("`{name}` takes {wanted}, found {}", trees.len());
        match trees.get(most) {
            // The first one too many.
            Some(extra) => self.wrong(*extra, message),
            None => self.wrong(tree, message),
        }
    }

    /// Something that may be a time.
    fn time(&mut self, tree: &Tree) -> Option<Expr> {
        let expr = self.expr(tree)?;
        match self.type_of(&expr) {
            Type::Time | Type::Any | Type::Text => Some(expr),
            kind => self.wrong(tree, format!("expected a time, found {}", type_name(kind))),
        }
    }

    fn duration(&mut self, tree: &Tree) -> Option<i64> {
        let text = self.text_constant(tree, "a duration")?;
        match duration_ns(&text) {
            Ok(ns) => Some(ns),
            Err(message) => self.wrong(tree, message),
        }
    }

    fn number_constant(&mut self, tree: &Tree) -> Option<f64> {
        let was_trial = std::mem::replace(&mut self.is_trial, true);
        let made = match bare(tree) {
            tree @ (Tree::Value(_) | Tree::UnaryOp { .. }) => self.expr(tree),
            _ => None,
        };
        self.is_trial = was_trial;
        match made? {
            Expr::Literal(number @ (Value::Int(_) | Value::Float(_))) => number.as_f64(),
            _ => None,
        }
    }

    fn whole_constant(&mut self, tree: &Tree, what: &str) -> Option<u32> {
        match self.number_constant(tree) {
            Some(number)
                if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) =>
            {
                Some(number as u32)
            }
            _ => self.wrong(tree, format!("expected {what}, found something else")),
        }
    }

    /// The bytes of a piece of a text constant, where it holds no doubled quotes; else the whole constant's.
    fn inside_text(
        &self,
        tree: &Tree,
        text: &str,
        piece: std::ops::Range<usize>,
    ) -> std::ops::Range<usize> {
        let place = self.source.place(bare(tree));
        if place.len() == text.len() + 2 && !piece.is_empty() && piece.end <= text.len() {
            place.start + 1 + piece.start..place.start + 1 + piece.end
        } else {
            place
        }
    }
}

/// Whether a call is one of an aggregate.
pub(super) fn is_aggregate(call: &Call) -> bool {
    match call.name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => {
            AGGREGATES.contains(&name.value.to_lowercase().as_str())
        }
        _ => false,
    }
}

/// The arguments of a call.
pub(super) fn trees_of(call: &Call) -> impl Iterator<Item = &Tree> {
    let list = match &call.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(tree)) => Some(tree),
        _ => None,
    })
}
