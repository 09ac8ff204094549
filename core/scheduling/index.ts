// The door of the room: the scheduler as a service on the Client port, and its decision as a function of a snapshot.
// Owns what other rooms may use; everything else in this folder is the room's own business.
export { Cluster } from "./cluster/Cluster.ts"
export { Selectors } from "./cluster/Selectors.ts"
export { defaultProfile, type Profile } from "./config/Profile.ts"
export {
  ConfigurationInvalid,
  decodeSchedulerConfiguration,
  defaultConfiguration,
  type LeaderElectionSettings,
  parseSchedulerConfiguration,
  type SchedulerConfiguration
} from "./config/SchedulerConfiguration.ts"
export { type Budget, budgetOf } from "./decide/Budgets.ts"
export {
  type Chosen,
  Decider,
  type DeciderParts,
  type Decision,
  noVolumes,
  type VolumeSource
} from "./decide/Decider.ts"
export { Diagnosis } from "./decide/Diagnosis.ts"
export { type Explanation, explanationText, type ScoredNode } from "./decide/Explanation.ts"
export { Nominations } from "./decide/Nominations.ts"
export type { Candidate } from "./decide/DryRuns.ts"
export { Preemption, type PreemptionParts } from "./decide/Preemption.ts"
export { Extender, ExtenderFailure, type ExtenderTransport } from "./extenders/Extender.ts"
export { extenderTransport } from "./extenders/ExtenderTransportAdapter.ts"
export { Scheduler, type SchedulerOptions, type SchedulerStats } from "./run/Scheduler.ts"
export { explainPodCommand, NotExplained } from "./serve/ExplainCommand.ts"
export { SchedulerFileInvalid } from "./serve/SchedulerSetup.ts"
export { LeadershipLost, serveSchedulerCommand } from "./serve/ServeSchedulerCommand.ts"
