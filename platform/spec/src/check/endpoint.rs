use super::{Checker, NO_HINT};
use crate::field::FieldPath;
use crate::kinds::{EndpointSpec, Spec};

impl Checker<'_> {
    pub(super) fn endpoint(&mut self, at: &FieldPath, endpoint: &EndpointSpec) {
        let EndpointSpec { description: _, model, alias, version } = endpoint;
        self.exactly_one(at, &[("alias", alias.is_some()), ("version", version.is_some())]);
        if *version == Some(0) {
            self.error(&at.field("version"), "model versions count from 1", NO_HINT);
        }
        let registered = self.documents.iter().filter_map(|d| match &d.spec {
            Spec::Training(training) => Some(training.register.as_ref()?.model.clone()),
            _ => None,
        });
        if !registered.into_iter().any(|name| name == *model) {
            let message = format!("no training here registers the model '{model}'");
            self.warning(&at.field("model"), message, "the endpoint is pending until some client registers it");
        }
    }
}
