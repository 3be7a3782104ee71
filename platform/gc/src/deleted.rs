use tiegel_artifacts::{ArtifactPath, Root, proxied_path};
use tiegel_context::{OpError, OpResult};
use tiegel_store::{Deleted, Leftover};

use crate::kept::Kept;
use crate::{Collected, Collector};

impl Collector {
    /// Answers the folders of ours that would go.
    pub(crate) async fn count_deleted(&self, until_ms: i64, collected: &mut Collected) -> OpResult<Vec<String>> {
        let store = &self.artifacts.ctx().store;
        let Deleted { runs, logged_models, experiments, traces } = store.deleted_until(until_ms).await?;
        collected.runs = runs.len() as u64;
        collected.logged_models = logged_models.len() as u64;
        collected.experiments = experiments.len() as u64;
        collected.traces = traces;
        let kept = Kept::read(store).await?;
        let uris = runs.into_iter().filter_map(|run| run.tree);
        let uris = uris.chain(logged_models.into_iter().filter_map(|model| model.tree));
        let uris = uris.chain(experiments.into_iter().filter_map(|experiment| experiment.tree));
        let mut folders = Vec::new();
        for uri in uris {
            if let Ok(Some(path)) = proxied_path(&uri) {
                collected.files += store.count_artifacts(path.as_str(), &kept.around(path.as_str())).await?.files;
                folders.push(path.as_str().to_owned());
            }
        }
        Ok(folders)
    }

    /// Removes the rows; what is left of each is a leftover.
    pub(crate) async fn remove_deleted(&self, until_ms: i64, collected: &mut Collected) -> OpResult<()> {
        let store = &self.artifacts.ctx().store;
        let Deleted { runs, logged_models, experiments, traces: _ } = store.deleted_until(until_ms).await?;
        // While its runs are there an experiment is too, and so are its models as long as it is.
        for model in logged_models {
            collected.logged_models += u64::from(store.remove_deleted_logged_model(&model.id, until_ms).await?);
        }
        for run in runs {
            collected.runs += u64::from(store.remove_deleted_run(run.id, until_ms).await?);
        }
        for experiment in experiments {
            if let Some(removed) = store.remove_deleted_experiment(experiment.id, until_ms).await? {
                collected.experiments += 1;
                collected.traces += removed.traces;
            }
        }
        Ok(())
    }

    /// Removes points and files of what is gone, from this pass or from one that was interrupted.
    pub(crate) async fn remove_leftovers(&self, collected: &mut Collected) -> OpResult<()> {
        let store = &self.artifacts.ctx().store;
        let leftovers = store.leftovers().await?;
        if leftovers.is_empty() {
            return Ok(());
        }
        let kept = Kept::read(store).await?;
        for leftover in leftovers {
            match &leftover {
                Leftover::Run(run) => store.remove_points(*run).await?,
                Leftover::Tree(uri) => collected.files += self.remove_tree(uri, &kept).await?,
            }
            store.drop_leftover(&leftover).await?;
        }
        Ok(())
    }

    /// Removes the files of a tree, but for those that models stand on. Files that clients keep elsewhere go too, where the
    /// server gets at them; where it does not, they stay, and the log says so.
    async fn remove_tree(&self, uri: &str, kept: &Kept) -> OpResult<u64> {
        match self.artifacts.at(uri) {
            Ok(Root::Ours(_, folder)) => self.remove_own(&folder, kept).await,
            Ok(Root::Theirs(_)) if kept.touches(uri) => Ok(0),
            Ok(Root::Theirs(tree)) => {
                if let Err(error) = tree.remove("").await {
                    tracing::warn!(uri, %error, "the files of something that is gone cannot be removed");
                }
                Ok(0)
            }
            Err(error) => {
                tracing::warn!(uri, %error, "the files of something that is gone stay where they are");
                Ok(0)
            }
        }
    }

    async fn remove_own(&self, folder: &ArtifactPath, kept: &Kept) -> OpResult<u64> {
        if folder.is_root() {
            return Err(OpError::internal("the root of all trees is nobody's tree"));
        }
        let kept = kept.around(folder.as_str());
        let dropped = self.artifacts.ctx().store.drop_artifacts(folder.as_str(), &kept).await?;
        if kept.is_empty() {
            // What others left by name at the destination.
            self.artifacts.delete(folder).await?;
        }
        Ok(dropped.files)
    }
}
