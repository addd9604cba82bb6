//! Rows of two embedding tables, on the way of every command that needs tensors.

use std::sync::Arc;

use hub_audit::audit::{self, Chosen, Failures, Model, Opened, RowPlan, TokenAsk};

use super::gather::{self, Job};

impl Job<'_> {
    /// Chooses tokens of two models that were opened, and plans their rows; nothing where one was not.
    pub(super) async fn choose_rows(
        &self,
        opened: &[Opened],
        ask: TokenAsk,
    ) -> anyhow::Result<(Option<Chosen>, Vec<RowPlan>)> {
        let models: Vec<&Arc<Model>> = opened
            .iter()
            .filter_map(|opened| opened.outcome.as_ref().ok())
            .collect();
        let &[first, second] = models.as_slice() else {
            return Ok((None, vec![RowPlan::default(); opened.len()]));
        };
        let chosen = audit::choose_tokens(&self.session, [first, second], ask).await?;
        let mut plans = Vec::with_capacity(models.len());
        for ((model, table), wanted) in models.iter().zip(&chosen.tables).zip(chosen.wanted()) {
            plans.push(match table {
                Ok(table) => audit::plan_rows(&self.session, model, table.position, &wanted)?,
                Err(_) => RowPlan::default(),
            });
        }
        Ok((Some(chosen), plans))
    }

    /// Brings the planned rows into the cache, and gives what failed of each model.
    pub(super) async fn fetch_rows(&self, opened: &[Opened], plans: Vec<RowPlan>) -> Vec<Failures> {
        let jobs = gather::jobs(opened, plans);
        gather::one_each(opened, audit::fetch_rows(&self.session, &jobs).await)
    }
}
