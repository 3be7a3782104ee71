use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err(format!("'{other}' is not a {}", stringify!($name))),
                }
            }
        }
    };
}

text_enum! {
    /// Where a job stands.
    JobState { Queued = "queued", Running = "running", Succeeded = "succeeded", Failed = "failed", Cancelled = "cancelled" }
}

impl JobState {
    pub fn is_final(self) -> bool {
        matches!(self, JobState::Succeeded | JobState::Failed | JobState::Cancelled)
    }
}

text_enum! {
    /// Where a step of a job stands.
    StepState {
        Waiting = "waiting",
        Running = "running",
        /// It ran and its output is stored.
        Succeeded = "succeeded",
        /// Its output was there already, by content.
        Cached = "cached",
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// MLflow's run status.
    RunStatus { Running = "RUNNING", Scheduled = "SCHEDULED", Finished = "FINISHED", Failed = "FAILED", Killed = "KILLED" }
}

text_enum! {
    /// Where an endpoint stands.
    EndpointState {
        /// Its model alias or version does not exist yet.
        Pending = "pending",
        /// A version is being loaded and replayed.
        Deploying = "deploying",
        Ready = "ready",
        /// The newest version was refused and no older one serves.
        Refused = "refused",
    }
}
