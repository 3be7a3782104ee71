//! Which SQL an endpoint can run: a projection of one table.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};
use tiegel_engine::TableError;

use super::plan::each_expression;
use crate::error::from_datafusion;

/// Why output row i of a plan does not depend on input row i of one table alone; none where it does.
pub(crate) fn not_row_wise_because(plan: &LogicalPlan) -> Result<Option<String>, TableError> {
    let mut found = Found::default();
    let walked = plan.apply_with_subqueries(|node| {
        found.see(node);
        Ok(TreeNodeRecursion::Continue)
    });
    walked.map_err(|e| from_datafusion(&e))?;
    each_expression(plan, &mut |expr| found.see_expression(expr))?;
    Ok(found.sentence())
}

#[derive(Default)]
struct Found {
    tables: usize,
    joins: bool,
    unions: bool,
    /// The rest, in the order of the words in `sentence`.
    others: std::collections::BTreeSet<&'static str>,
}

impl Found {
    fn see(&mut self, node: &LogicalPlan) {
        let other = match node {
            LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Subquery(_) => return,
            LogicalPlan::TableScan(_) => {
                self.tables += 1;
                return;
            }
            LogicalPlan::Join(_) => {
                self.joins = true;
                return;
            }
            LogicalPlan::Union(_) => {
                self.unions = true;
                return;
            }
            LogicalPlan::Aggregate(_) => "aggregates",
            LogicalPlan::Distinct(Distinct::All(_) | Distinct::On(_)) => "removes duplicate rows",
            LogicalPlan::Window(_) => "uses a window function",
            LogicalPlan::Unnest(_) => "unnests rows",
            LogicalPlan::Filter(_) => "filters rows",
            LogicalPlan::Limit(_) => "limits rows",
            LogicalPlan::Sort(_) => "sorts rows",
            LogicalPlan::RecursiveQuery(_) => "is recursive",
            LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => "makes rows of its own",
            _ => "is not a projection",
        };
        self.others.insert(other);
    }

    fn see_expression(&mut self, expr: &Expr) {
        if matches!(expr, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)) {
            self.others.insert("uses a subquery");
        }
    }

    fn sentence(mut self) -> Option<String> {
        let mut reasons = Vec::new();
        if self.joins {
            reasons.push(if self.tables > 1 {
                format!("joins {} tables", self.tables)
            } else {
                "joins a table".into()
            });
        }
        if self.unions {
            reasons.push("joins the rows of several selects".into());
        }
        if self.tables == 0 && !self.others.contains("makes rows of its own") {
            self.others.insert("reads no table");
        }
        reasons.extend(self.others.into_iter().map(str::to_owned));
        let last = reasons.pop()?;
        Some(if reasons.is_empty() { last } else { format!("{} and {last}", reasons.join(", ")) })
    }
}
