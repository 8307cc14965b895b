//! A `[query.NAME]`: one SELECT over one log, as the aggregate or select that it is.

use sqlparser::ast::{
    Distinct, Expr as Tree, GroupByExpr, LimitClause, OrderByExpr, OrderByKind, Query as SqlQuery,
    Select, SelectItem, SetExpr, TableFactor, Value as Constant,
};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use super::names::near;
use super::scalar::{Converter, bare};
use super::source::Source;
use super::{Inner, Mistake, Query, Scope};
use crate::expr::Expr;
use crate::plan::{AggregatePlan, Named, OperatorKind, Order, SelectPlan};

const MAX_COLUMNS: usize = 1_000;

/// One item of the SELECT list.
struct Item<'t> {
    tree: &'t Tree,
    name: String,
    /// `AS name`, so that it may be grouped and ordered by.
    is_named: bool,
}

pub(super) fn compile(
    source: &Source<'_>,
    query: &SqlQuery,
    logs: &[String],
    scope: &mut Scope<'_>,
) -> Result<Query, Vec<Mistake>> {
    let wrong = |tree: &dyn Fn() -> std::ops::Range<usize>, message: &str| {
        Err(vec![Mistake {
            span: tree(),
            message: message.to_owned(),
            help: None,
        }])
    };
    let select = match &*query.body {
        SetExpr::Select(select) => select,
        _ => return wrong(&|| source.place(query), "a query is one SELECT"),
    };
    if query.with.is_some()
        || query.fetch.is_some()
        || query.for_clause.is_some()
        || !query.locks.is_empty()
        || !query.pipe_operators.is_empty()
        || !is_plain(select)
    {
        return wrong(
            &|| source.place(query),
            "a query is SELECT … FROM … WHERE … GROUP BY … HAVING … ORDER BY … LIMIT, and nothing else",
        );
    }
    let log = log_of(source, select, logs)?;
    let predicate = match &select.selection {
        None => None,
        Some(tree) => {
            let mut converter = Converter::over_entries(source, scope);
            let expr = converter.condition(tree);
            Some(converter.finish(expr)?)
        }
    };
    let order = match query.order_by.as_ref().map(|order| &order.kind) {
        None => &[][..],
        Some(OrderByKind::Expressions(terms)) => terms,
        Some(OrderByKind::All(_)) => {
            return wrong(
                &|| source.place(query),
                "`ORDER BY ALL` is not part of job queries",
            );
        }
    };
    let limit = match &query.limit_clause {
        None => None,
        Some(LimitClause::LimitOffset {
            limit: Some(tree),
            offset: None,
            limit_by,
        }) if limit_by.is_empty() => match bare(tree) {
            Tree::Value(value) => match &value.value {
                Constant::Number(number, _) if number.parse::<u64>().is_ok() => number.parse().ok(),
                _ => return wrong(&|| source.place(tree), "LIMIT takes a whole number"),
            },
            _ => return wrong(&|| source.place(tree), "LIMIT takes a whole number"),
        },
        Some(_) => {
            return wrong(
                &|| source.place(query),
                "of LIMIT only `LIMIT n` is part of job queries",
            );
        }
    };
    let group_by = match &select.group_by {
        GroupByExpr::Expressions(trees, modifiers) if modifiers.is_empty() => trees.as_slice(),
        _ => {
            return wrong(
                &|| source.place(query),
                "GROUP BY takes expressions, and nothing after them",
            );
        }
    };
    let is_distinct = match &select.distinct {
        None | Some(Distinct::All) => false,
        Some(Distinct::Distinct) => true,
        Some(Distinct::On(_)) => {
            return wrong(
                &|| source.place(query),
                "`DISTINCT ON` is not part of job queries",
            );
        }
    };
    let items = items_of(source, select)?;
    let Some(items) = items else {
        if !group_by.is_empty() || is_distinct || select.having.is_some() {
            return wrong(
                &|| source.place(query),
                "`SELECT *` gives whole entries: it has no GROUP BY, HAVING or DISTINCT",
            );
        }
        let order = entry_order(source, order, &[], scope)?;
        let kind = OperatorKind::Select(SelectPlan {
            predicate,
            columns: None,
            order,
            limit,
            from_sql: true,
        });
        return Ok(Query { log, kind });
    };
    let is_aggregate = !group_by.is_empty()
        || is_distinct
        || select.having.is_some()
        || items.iter().any(|item| holds_aggregate(item.tree))
        || order.iter().any(|term| holds_aggregate(&term.expr));
    let kind = if is_aggregate {
        let group = groups_of(source, group_by, &items, is_distinct, scope)?;
        aggregate(
            source, select, predicate, group, &items, order, limit, scope,
        )?
    } else {
        let mut columns = Vec::with_capacity(items.len());
        let mut mistakes = Vec::new();
        for item in &items {
            let mut converter = Converter::over_entries(source, scope);
            let expr = converter.expr(item.tree);
            match converter.finish(expr) {
                Ok(expr) => columns.push(Named {
                    name: item.name.clone(),
                    expr,
                }),
                Err(more) => mistakes.extend(more),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let order = entry_order(source, order, &columns, scope)?;
        OperatorKind::Select(SelectPlan {
            predicate,
            columns: Some(columns),
            order,
            limit,
            from_sql: true,
        })
    };
    Ok(Query { log, kind })
}

#[allow(clippy::too_many_arguments)] // the clauses of one SELECT
fn aggregate(
    source: &Source<'_>,
    select: &Select,
    predicate: Option<Expr>,
    group: Vec<Named>,
    items: &[Item<'_>],
    order: &[OrderByExpr],
    limit: Option<u64>,
    scope: &mut Scope<'_>,
) -> Result<OperatorKind, Vec<Mistake>> {
    let mut inner = Inner {
        group,
        measures: Vec::new(),
    };
    let mut columns = Vec::with_capacity(items.len());
    let mut mistakes = Vec::new();
    for item in items {
        let mut converter = Converter::over_groups(source, scope, &mut inner, &[]);
        let expr = converter.expr(item.tree);
        match converter.finish(expr) {
            Ok(expr) => columns.push(Named {
                name: item.name.clone(),
                expr,
            }),
            Err(more) => mistakes.extend(more),
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let having = match &select.having {
        None => None,
        Some(tree) => {
            let mut converter = Converter::over_groups(source, scope, &mut inner, &columns);
            let expr = converter.condition(tree);
            Some(converter.finish(expr)?)
        }
    };
    let mut terms = Vec::with_capacity(order.len());
    for term in order {
        let mut converter = Converter::over_groups(source, scope, &mut inner, &columns);
        let made = match ordinal(&term.expr, &columns) {
            None => converter.order(std::slice::from_ref(term)),
            Some(Some(expr)) => {
                let descending = term.options.sort == Some(sqlparser::ast::OrderBySort::Desc);
                Some(vec![Order { expr, descending }])
            }
            Some(None) => converter.wrong(&term.expr, no_such_column(&columns)),
        };
        terms.extend(converter.finish(made)?);
    }
    Ok(OperatorKind::Aggregate(AggregatePlan {
        predicate,
        group: inner.group,
        measures: inner.measures,
        columns,
        having,
        order: terms,
        limit,
        from_sql: true,
    }))
}

/// ORDER BY over entries: expressions, and columns by their alias or number.
fn entry_order(
    source: &Source<'_>,
    order: &[OrderByExpr],
    columns: &[Named],
    scope: &mut Scope<'_>,
) -> Result<Vec<Order>, Vec<Mistake>> {
    let mut terms = Vec::with_capacity(order.len());
    for term in order {
        let alias = match bare(&term.expr) {
            Tree::Identifier(name) => columns.iter().find(|column| column.name == name.value),
            _ => None,
        };
        let known = match alias {
            Some(column) => Some(Some(column.expr.clone())),
            None if columns.is_empty() => None,
            None => ordinal(&term.expr, columns),
        };
        let mut converter = Converter::over_entries(source, scope);
        let made = match known {
            None => converter.order(std::slice::from_ref(term)),
            Some(Some(expr)) => {
                let descending = term.options.sort == Some(sqlparser::ast::OrderBySort::Desc);
                Some(vec![Order { expr, descending }])
            }
            Some(None) => converter.wrong(&term.expr, no_such_column(columns)),
        };
        terms.extend(converter.finish(made)?);
    }
    Ok(terms)
}

/// What `ORDER BY 2` means: None where it is no number, Some(None) where there is no such column.
fn ordinal(tree: &Tree, columns: &[Named]) -> Option<Option<Expr>> {
    let number = whole_number(tree)?;
    let column = number.checked_sub(1).and_then(|index| columns.get(index));
    Some(column.map(|column| column.expr.clone()))
}

fn whole_number(tree: &Tree) -> Option<usize> {
    match bare(tree) {
        Tree::Value(value) => match &value.value {
            Constant::Number(number, _) => Some(number.parse().unwrap_or(usize::MAX)),
            _ => None,
        },
        _ => None,
    }
}

fn no_such_column(columns: &[Named]) -> String {
    format!("a number names a column: 1 to {}", columns.len())
}

/// The group columns: of GROUP BY, by expression, alias or number; of DISTINCT, all items.
fn groups_of(
    source: &Source<'_>,
    group_by: &[Tree],
    items: &[Item<'_>],
    is_distinct: bool,
    scope: &mut Scope<'_>,
) -> Result<Vec<Named>, Vec<Mistake>> {
    let mut group: Vec<Named> = Vec::new();
    let mut wanted: Vec<(&Tree, Option<&str>)> = Vec::new();
    if is_distinct && group_by.is_empty() && !items.iter().any(|item| holds_aggregate(item.tree)) {
        wanted.extend(
            items
                .iter()
                .map(|item| (item.tree, Some(item.name.as_str()))),
        );
    } else if is_distinct {
        return Err(vec![Mistake {
            span: source.distinct(),
            message: "DISTINCT together with GROUP BY or aggregates is not part of job queries"
                .to_owned(),
            help: Some("the rows of a group are distinct already".to_owned()),
        }]);
    }
    for tree in group_by {
        let mut converter = Converter::over_entries(source, scope);
        if let Some(number) = whole_number(tree) {
            match number.checked_sub(1).and_then(|index| items.get(index)) {
                Some(item) => wanted.push((item.tree, Some(&item.name))),
                None => {
                    let message = format!("a number names a column: 1 to {}", items.len());
                    let made = converter.wrong(tree, message);
                    return converter.finish(made);
                }
            }
            continue;
        }
        // A name given by AS means that item, also where an entry has something of this name.
        let alias = match bare(tree) {
            Tree::Identifier(name) => items
                .iter()
                .find(|item| item.is_named && item.name == name.value)
                .filter(|item| !holds_aggregate(item.tree)),
            _ => None,
        };
        match alias {
            Some(item) => wanted.push((item.tree, Some(&item.name))),
            None => wanted.push((tree, None)),
        }
    }
    for (tree, name) in wanted {
        let mut converter = Converter::over_entries(source, scope);
        let expr = converter.expr(tree);
        let expr = converter.finish(expr)?;
        if group.iter().any(|known| known.expr == expr) {
            continue;
        }
        let name = match name {
            Some(name) => name.to_owned(),
            None => plain_name(source, tree),
        };
        group.push(Named { name, expr });
    }
    Ok(group)
}

/// The log that a query reads.
fn log_of(
    source: &Source<'_>,
    select: &Select,
    logs: &[String],
) -> Result<Option<u16>, Vec<Mistake>> {
    let wrong = |span, message: String, help: Option<String>| {
        Err(vec![Mistake {
            span,
            message,
            help,
        }])
    };
    let table = match select.from.as_slice() {
        [table] => table,
        [] => {
            return wrong(
                source.place(select),
                "a query needs FROM and the name of a log".to_owned(),
                Some("`FROM logs` reads all of them".to_owned()),
            );
        }
        [_, second, ..] => {
            return wrong(
                source.place(second),
                "a query reads one log, or all by `FROM logs`".to_owned(),
                None,
            );
        }
    };
    if let Some(join) = table.joins.first() {
        return wrong(
            source.place(join),
            "`JOIN` is not part of job queries".to_owned(),
            None,
        );
    }
    let (name, alias) = match &table.relation {
        TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } => (name, alias),
        relation => {
            return wrong(
                source.place(relation),
                "FROM takes the name of a log".to_owned(),
                None,
            );
        }
    };
    if let Some(alias) = alias {
        return wrong(
            source.place_of(alias.name.span),
            "a log has no other name in a query".to_owned(),
            None,
        );
    }
    let span = source.place(name);
    let parts: Vec<&str> = name
        .0
        .iter()
        .filter_map(|part| part.as_ident().map(|name| name.value.as_str()))
        .collect();
    let wanted = parts.join(".");
    if let Some(index) = logs.iter().position(|log| *log == wanted) {
        return Ok(u16::try_from(index).ok());
    }
    if wanted == "logs" {
        return Ok(None);
    }
    let names = logs.iter().map(String::as_str).chain(["logs"]);
    let help = match near(&wanted, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`FROM logs` reads all logs".to_owned(),
    };
    wrong(
        span,
        format!("`{wanted}` is no log of this job"),
        Some(help),
    )
}

/// The SELECT list; None for `*`.
fn items_of<'t>(
    source: &Source<'_>,
    select: &'t Select,
) -> Result<Option<Vec<Item<'t>>>, Vec<Mistake>> {
    let wrong = |span, message: &str| {
        Err(vec![Mistake {
            span,
            message: message.to_owned(),
            help: None,
        }])
    };
    if let [SelectItem::Wildcard(_)] = select.projection.as_slice() {
        return Ok(None);
    }
    if select.projection.len() > MAX_COLUMNS {
        let message = format!("a query has at most {MAX_COLUMNS} columns");
        return wrong(source.place(select), &message);
    }
    let texts = item_texts(source);
    let mut items: Vec<Item<'t>> = Vec::with_capacity(select.projection.len());
    for (index, item) in select.projection.iter().enumerate() {
        let (tree, alias) = match item {
            SelectItem::UnnamedExpr(tree) => (tree, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.value.clone())),
            item => {
                return wrong(source.place(item), "`*` stands alone in `SELECT *`");
            }
        };
        let is_named = alias.is_some();
        let name = match alias {
            Some(alias) => alias,
            None => match bare(tree) {
                Tree::Identifier(name) => name.value.clone(),
                _ => texts.get(index).copied().unwrap_or_default().to_owned(),
            },
        };
        if items.iter().any(|item| item.name == name) {
            let message = format!("two columns are called `{name}`");
            return wrong(source.place(item), &message);
        }
        items.push(Item {
            tree,
            name,
            is_named,
        });
    }
    Ok(Some(items))
}

/// The texts between the commas of the SELECT list, as written.
fn item_texts<'t>(source: &Source<'t>) -> Vec<&'t str> {
    let mut texts = Vec::new();
    let (mut depth, mut start) = (0_usize, None);
    for (index, token) in source.tokens.iter().enumerate() {
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && word.keyword == Keyword::SELECT => {
                start = Some(index + 1);
            }
            Token::Comma if depth == 0 => {
                if let Some(start) = start.replace(index + 1) {
                    texts.push(source.text_of(start..index));
                }
            }
            Token::Word(word) if depth == 0 && word.keyword == Keyword::FROM => {
                texts.extend(start.map(|start| source.text_of(start..index)));
                break;
            }
            _ => {}
        }
    }
    texts
}

/// What a group column is called that has no name: its path, else its SQL.
fn plain_name(source: &Source<'_>, tree: &Tree) -> String {
    match bare(tree) {
        Tree::Identifier(name) => name.value.clone(),
        tree => source.text_at(source.place(tree)).to_owned(),
    }
}

/// Whether there is an aggregate in it. Calls of other functions hold it in their arguments.
fn holds_aggregate(tree: &Tree) -> bool {
    let mut ahead = vec![tree];
    while let Some(tree) = ahead.pop() {
        match tree {
            Tree::Function(call) => {
                if super::call::is_aggregate(call) {
                    return true;
                }
                ahead.extend(super::call::trees_of(call));
            }
            Tree::Nested(inner)
            | Tree::IsNull(inner)
            | Tree::IsNotNull(inner)
            | Tree::UnaryOp { expr: inner, .. } => ahead.push(inner),
            Tree::BinaryOp { left, right, .. } => ahead.extend([&**left, right]),
            Tree::Between {
                expr, low, high, ..
            } => ahead.extend([&**expr, low, high]),
            Tree::InList { expr, list, .. } => {
                ahead.push(expr);
                ahead.extend(list);
            }
            Tree::Like { expr, .. } | Tree::ILike { expr, .. } => ahead.push(expr),
            _ => {}
        }
    }
    false
}

fn is_plain(select: &Select) -> bool {
    select.top.is_none()
        && select.into.is_none()
        && select.lateral_views.is_empty()
        && select.prewhere.is_none()
        && select.connect_by.is_empty()
        && select.cluster_by.is_empty()
        && select.distribute_by.is_empty()
        && select.sort_by.is_empty()
        && select.named_window.is_empty()
        && select.qualify.is_none()
        && select.exclude.is_none()
        && select.value_table_mode.is_none()
        && select.select_modifiers.is_none()
}
