macro_rules! metrics {
    ($($variant:ident = $name:literal, $labels:expr, $help:literal;)+) => {
        /// Every metric. Names are `tiegel_`, a noun and the unit or what is counted; counters end in `_total`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric { $($variant),+ }

        impl Metric {
            pub const ALL: &[Metric] = &[$(Metric::$variant),+];

            /// As it is read at `/metrics`.
            pub fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name),+ }
            }

            pub fn help(self) -> &'static str {
                match self { $(Metric::$variant => $help),+ }
            }

            /// The keys that tell its series apart. Their values must be few: names, templates, never ids.
            pub fn labels(self) -> &'static [&'static str] {
                match self { $(Metric::$variant => &$labels),+ }
            }
        }
    };
}

metrics! {
    HttpRequestSeconds = "tiegel_http_request_duration_seconds", ["method", "route", "status"],
        "Time until a response's head";
    HttpActiveRequests = "tiegel_http_active_requests", [], "Requests that are being answered";
    JobsOpen = "tiegel_jobs_open", [], "Jobs that are queued or running";
    JobsFinished = "tiegel_jobs_finished_total", ["state"], "Jobs that ended, by how";
    StepSeconds = "tiegel_step_duration_seconds", [], "Time of steps that ran";
    StepsCached = "tiegel_steps_cached_total", [], "Steps whose output was there already";
    PluginCallSeconds = "tiegel_plugin_call_duration_seconds", ["plugin"], "Time of calls into plugins";
    PluginRows = "tiegel_plugin_rows_total", ["plugin"], "Rows handed to plugins";
    PluginBytes = "tiegel_plugin_bytes_total", ["plugin", "direction"], "Bytes handed to plugins (in) and back (out)";
    PluginMemoryBytes = "tiegel_plugin_memory_bytes", ["plugin"], "Memory of the instance that was called last";
    PluginFaults = "tiegel_plugin_faults_total", ["plugin", "fault"], "Plugin calls that failed, by how";
    QuerySeconds = "tiegel_query_duration_seconds", [], "Time of exploring queries";
    QueryRows = "tiegel_query_rows_total", [], "Rows that exploring queries answered";
    TrainingEpochs = "tiegel_training_epochs_total", [], "Epochs fitted";
    TrainingSamples = "tiegel_training_samples_total", [], "Rows that models were fitted on, once an epoch";
    PredictSeconds = "tiegel_predict_duration_seconds", ["endpoint"], "Time of a prediction, decoding included";
    PredictRows = "tiegel_predict_rows_total", ["endpoint"], "Rows predicted";
    PredictErrors = "tiegel_predict_errors_total", ["endpoint"], "Predict requests that failed";
    PredictWaiting = "tiegel_predict_waiting_requests", ["endpoint"], "Predict requests that wait for their batch";
    PredictBatchRows = "tiegel_predict_batch_rows", ["endpoint"], "Rows in one batch through a model";
    Replays = "tiegel_replays_total", ["outcome"], "Skew replays";
    DbSeconds = "tiegel_db_operation_duration_seconds", ["operation"], "Time of operations on the metadata database";
    ResidentBytes = "tiegel_process_resident_bytes", [], "Resident memory of the server";
    StartSeconds = "tiegel_process_start_time_seconds", [], "When the server started, in seconds since 1970";
}
