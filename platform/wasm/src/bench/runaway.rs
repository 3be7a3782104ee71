use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arrow::array::RecordBatch;
use parking_lot::Mutex;
use tiegel_engine::{Binding, FaultKind, PluginFailure, PluginHost, PluginLimits, Transformer};

use super::{Spread, host_fault};
use crate::attack::arena::{bind, schema};
use crate::attack::guest::{Act, Export, Guest};
use crate::attack::inputs;
use crate::clock::cpu_time;
use crate::{Call, HostConfig, Meter, Meters, WasmHost};

/// What each call may take.
const CALL: Duration = Duration::from_millis(100);

/// Threads for each processor, all of them busy.
const OVERSUBSCRIPTION: usize = 8;

/// How far past their deadline calls ran that would never end.
#[derive(Clone, Debug)]
pub struct Runaways {
    pub calls: usize,
    pub threads: usize,
    /// Time on the clock beyond the budget.
    pub wall_over: Spread,
    /// Time on a processor beyond the budget, as the kernel counts it: to a few milliseconds.
    pub cpu_over: Spread,
}

/// Calls that spin, from eight times as many threads as there are processors, on a host of this configuration.
///
/// # Errors
/// When one of them is not stopped for its time.
pub fn runaways(config: &HostConfig, calls: usize) -> Result<Runaways, PluginFailure> {
    let threads = OVERSUBSCRIPTION * thread::available_parallelism().map_or(1, |n| n.get());
    let wall: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let config = HostConfig {
        instances_max: config.instances_max.max(threads),
        meters: Some(wall_meter(&wall)),
        ..config.clone()
    };
    let host = WasmHost::new(&config).map_err(|error| host_fault(error.to_string()))?;
    let guest = Guest { act: Some((Export::Transform, Act::Spin)), ..Guest::default() };
    let binding = bind(&host, &guest.component(), &schema())?;
    let binding = Binding { limits: PluginLimits { call: CALL, ..PluginLimits::default() }, ..binding };
    let transformer = host.transformer(&binding, None)?;
    let rows = inputs::plain(&schema());
    let each = |thread: usize| calls / threads + usize::from(thread < calls % threads);
    let run = |calls: usize| (0..calls).map(|_| cpu_overrun(&*transformer, &rows)).collect::<Result<Vec<_>, _>>();
    let cpu = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || run(each(thread)))).collect();
        let ended = running.into_iter().map(|thread| match thread.join() {
            Ok(over) => over,
            Err(_) => Err(host_fault("a thread that called the plugin died".to_owned())),
        });
        ended.collect::<Result<Vec<_>, _>>()
    })?;
    let cpu: Vec<_> = cpu.into_iter().flatten().collect();
    let wall_over = Spread::of(std::mem::take(&mut *wall.lock()));
    Ok(Runaways { calls: cpu.len(), threads, wall_over, cpu_over: Spread::of(cpu) })
}

/// Keeps how far past its budget each transform ran: the call alone, without its wait for an instance.
fn wall_meter(wall: &Arc<Mutex<Vec<Duration>>>) -> Meters {
    let wall = Arc::clone(wall);
    Arc::new(move |_: &str| {
        let wall = Arc::clone(&wall);
        let meter: Meter = Arc::new(move |call: &Call| {
            if call.export == "transform" {
                wall.lock().push(call.took.saturating_sub(CALL));
            }
        });
        meter
    })
}

/// Processor time of one call beyond its budget.
fn cpu_overrun(transformer: &dyn Transformer, rows: &RecordBatch) -> Result<Duration, PluginFailure> {
    let on_cpu = cpu_time().unwrap_or_default();
    let answer = transformer.transform(rows);
    let cpu = cpu_time().unwrap_or_default().saturating_sub(on_cpu);
    match answer {
        Err(PluginFailure::Fault { kind: FaultKind::Timeout, .. }) => Ok(cpu.saturating_sub(CALL)),
        Err(failure) => Err(failure),
        Ok(_) => Err(host_fault("a plugin that spins answered".to_owned())),
    }
}
