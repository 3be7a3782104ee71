//! Telling webhooks what happened: at least once, signed, and never to this server's own network.

mod address;
mod deliverer;
mod events;
mod request;
mod secret;
mod sender;

pub use deliverer::WebhookDeliverer;
pub use events::{event_of, event_parts, example_of};
pub use secret::{SecretKey, WebhookSecret};
pub use sender::{SendError, Sent, WebhookPolicy, WebhookSender};
