use crate::error::{SearchError, shown};
use crate::vocabulary::{Role, Vocabulary};
use crate::{DatasetFilter, Entity, Family, Field, Order, OrderKey};

/// A key of the order of logged models, which is an object and no string.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedModelKey<'r> {
    /// `metrics.loss`, or the name of an attribute.
    pub field: &'r str,
    pub ascending: bool,
    pub dataset_name: Option<&'r str>,
    pub dataset_digest: Option<&'r str>,
}

impl Order {
    pub fn of_logged_models(keys: &[LoggedModelKey<'_>]) -> Result<Self, SearchError> {
        let keys = keys.iter().map(order_key).collect::<Result<_, _>>()?;
        Order::of(Entity::LoggedModel, keys)
    }
}

fn order_key(key: &LoggedModelKey<'_>) -> Result<OrderKey, SearchError> {
    let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let field = match key.field.split_once('.') {
        None => {
            let attribute = Vocabulary::of(Entity::LoggedModel).attribute(key.field.trim(), Role::Order);
            let attribute = attribute
                .map_err(|_| SearchError::new(format!("Invalid order by field name: {}", shown(key.field))))?;
            Field::Attribute(attribute.name, attribute.kind)
        }
        Some(("metrics", metric)) => Field::Keyed(Family::Metric, metric.to_owned()),
        Some(_) => {
            return Err(SearchError::new(format!(
                "Invalid order by field name: {}. Only metrics are supported.",
                shown(key.field)
            )));
        }
    };
    let dataset = match (given(key.dataset_name), given(key.dataset_digest)) {
        (Some(name), digest) => Some(DatasetFilter { name, digest }),
        (None, None) => None,
        (None, Some(_)) => {
            return Err(SearchError::new(
                "`dataset_digest` can only be specified if `dataset_name` is also specified.",
            ));
        }
    };
    let dataset = dataset.filter(|_| matches!(field, Field::Keyed(..)));
    Ok(OrderKey { dataset, ..OrderKey::new(field, key.ascending) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn key(field: &str) -> LoggedModelKey<'_> {
        LoggedModelKey { field, ascending: true, dataset_name: None, dataset_digest: None }
    }

    fn refused(key: LoggedModelKey<'_>) -> String {
        Order::of_logged_models(&[key]).unwrap_err().to_string()
    }

    #[test]
    fn a_metric_may_be_that_of_one_dataset() {
        let keys = [LoggedModelKey { dataset_name: Some("d"), dataset_digest: Some(""), ..key("metrics.a.b") }];
        let order = Order::of_logged_models(&keys).unwrap();
        assert_eq!(order.keys[0].field, Field::Keyed(Family::Metric, "a.b".to_owned()));
        assert_eq!(order.keys[0].dataset, Some(DatasetFilter { name: "d".to_owned(), digest: None }));
        assert_eq!(order.keys.len(), 3);
    }

    #[test]
    fn an_attribute_has_aliases() {
        let order = Order::of_logged_models(&[key("creation_time")]).unwrap();
        assert_eq!(order.keys[0].field, Field::Attribute("creation_timestamp", Kind::Integer));
        assert_eq!(order.keys.len(), 2);
    }

    #[test]
    fn other_fields_are_refused() {
        assert_eq!(refused(key("params.a")), "Invalid order by field name: params.a. Only metrics are supported.");
        assert_eq!(refused(key("size")), "Invalid order by field name: size");
        assert!(
            refused(LoggedModelKey { dataset_digest: Some("x"), ..key("metrics.a") }).starts_with("`dataset_digest`")
        );
    }
}
