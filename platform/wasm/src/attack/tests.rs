use super::*;

#[test]
fn outcomes_are_judged_by_kind() {
    let failed = |kind| Err(fault("p", kind, "why"));
    assert!(Expect::Timeout.holds(&failed(FaultKind::Timeout)));
    assert!(!Expect::Timeout.holds(&failed(FaultKind::Trap)));
    assert!(!Expect::Refused.holds(&Ok(())));
    assert!(Expect::Contained.holds(&failed(FaultKind::MemoryLimit)));
    assert!(!Expect::Contained.holds(&failed(FaultKind::Host)));
    assert!(!Expect::Answered.holds(&failed(FaultKind::Trap)));
}
