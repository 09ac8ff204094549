// The door of the room: the simulated world.
// Owns what other rooms may use; everything else in this folder is the room's own business.
export { EventHeap, type EventHandle } from "./time/EventHeap.ts"
export { EventLog, type EventTap, type LoggedEvent } from "./time/EventLog.ts"
export { type Handler, type HandlerId, Kernel, type KernelOptions, type RunEnd, type RunLimits } from "./time/Kernel.ts"
export { hashText, mix32, RandomStream } from "./time/RandomStream.ts"
export {
  epochMs,
  followRealTime,
  measureTurns,
  memoryBytes,
  RealTime,
  runInSlices,
  wallMs
} from "./time/RealTimeAdapter.ts"
export { SimProcess } from "./time/SimProcess.ts"
export { SpeedMeter, type SpeedReading } from "./time/SpeedMeter.ts"
export { judgeHistory, RegisterChecker, type RegisterOperation, type Verdict } from "./checkers/Linearizability.ts"
export { type Guarantee, type Violation, Violations } from "./checkers/Violations.ts"
export { explore, type Finding, replayCommand, shrinkCase, type SteppedCase } from "./explore/Explore.ts"
export { shrinkItems, type Shrunk } from "./explore/Shrink.ts"
export {
  drawStoreCase,
  runStoreCase,
  type RunResult,
  type StoreCase,
  type StoreWrappers
} from "./explore/StoreWorld.ts"
export { drawPlan, FaultPlan, FaultPlanInvalid, FaultStep, parseFaultPlan, planEndMs } from "./faults/FaultPlan.ts"
export {
  FaultInjector,
  type FaultTargets,
  type FaultyNetwork,
  type FaultyNodes,
  type FaultyServer
} from "./faults/FaultInjector.ts"
export { drawLatency, type Latency, quantileShares } from "./faults/Latency.ts"
export { defaultNetwork, type LinkProfile, Network, type NetworkOptions } from "./faults/Network.ts"
export { itemsIn, type MeasuredList, type ServerTimes } from "./faults/ServerPace.ts"
export { SimConnection } from "./faults/SimConnection.ts"
export { SimDisk, type SimDiskOptions } from "./faults/SimDisk.ts"
export { SampledRecord } from "./history/SampledRecord.ts"
export { StoreRecord, type RecordedEvent } from "./history/StoreRecord.ts"
export { makeStoreCalls, type StoreCalls, type StoreMethod, StoreMethods } from "./store/StoreCalls.ts"
export { SharedEngine } from "./store/SharedEngine.ts"
export { type NodeWrappers, SharedNode } from "./store/SharedNode.ts"
export { type EngineWrapper, StoreNode } from "./store/StoreNode.ts"
export { parseGoDuration } from "./nodes/GoDuration.ts"
export { GoTemplate, type TemplateFunctions } from "./nodes/GoTemplate.ts"
export { GoTemplateInvalid } from "./nodes/GoTemplateParser.ts"
export { type KeyPath, KeyPathInvalid, parseKeyPath } from "./nodes/KeyPath.ts"
export {
  chooseStage,
  drawDelay,
  possibleStages,
  type Stage,
  type StageDelay,
  type StagePlace,
  type StageStep
} from "./nodes/Stage.ts"
export { type FileStage, parseStages, placeFunctions, type PlaceFunctions, StageInvalid } from "./nodes/StageFile.ts"
export { ApiNode, type ApiNodeOptions, type BareServer, type WholeServer } from "./ApiNode.ts"
export { CountedMember, type CountedMemberOptions } from "./federation/CountedMember.ts"
export { hostAutoscaler, hostControllers } from "./cluster/HostControllers.ts"
export type { Choice, NodeChooser } from "./binder/NodeChooser.ts"
export { OnePassChooser } from "./binder/OnePassChooser.ts"
export {
  kubeScheduler,
  type MakePlacer,
  onePassBinder,
  type PodPlacer,
  type SchedulerTimes,
  timedKubeScheduler
} from "./binder/PodPlacer.ts"
export { PodBindings, type PodBindingsOptions } from "./binder/PodBindings.ts"
export { ChurnPlayer } from "./churn/ChurnPlayer.ts"
export { churnLine, ChurnLogInvalid, ChurnStep, type ChurnTarget, parseChurnLog } from "./churn/ChurnStep.ts"
export { loadTest, loadTestGroups, type LoadTestOptions } from "./churn/LoadTest.ts"
export { GPU_MODEL_LABEL, OpenbInvalid, type OpenbOptions, parseOpenb } from "./churn/Openb.ts"
export { podChurn, type PodChurnOptions } from "./churn/PodChurn.ts"
export { makeNetworkClient, mayHaveHappened, type NetworkClientOptions } from "./NetworkClient.ts"
export { HollowNodes, type HollowNodesOptions } from "./nodes/HollowNodes.ts"
export { HollowPods, type HollowPodsOptions, type PodObserver } from "./nodes/HollowPods.ts"
export { type Machine, machinesOf, NodeGroup } from "./nodes/NodeGroup.ts"
export { fastPodStages, kubeletPodStages, podAnnotations } from "./nodes/PodStages.ts"
export { type ControllerContext, type ControllerStart, Population, type PopulationOptions } from "./Population.ts"
export { World, type WorldOptions, type WorldParts } from "./World.ts"
export { enteringClient, type Enter } from "./cluster/EnteringClient.ts"
export { managingClient } from "./cluster/ManagingClient.ts"
export { type RunningCluster, serveCluster, type ServeClusterOptions } from "./cluster/ServeCluster.ts"
export { serveClusterCommand } from "./cluster/ServeClusterCommand.ts"
export { SERVICE_CIDR, SimulatedCluster, type SimulatedClusterOptions } from "./cluster/SimulatedCluster.ts"
export { type AutoscalerSettings, autoscalerController } from "./controllers/autoscaling/AutoscalerController.ts"
export type { MetricSource } from "./controllers/autoscaling/MetricSource.ts"
export { metricsDefinitions } from "./controllers/autoscaling/MetricsApi.ts"
export { usageAnnotations } from "./controllers/autoscaling/LoadProfile.ts"
export { ControllersInvalid, allControllers, chooseControllers } from "./controllers/Controllers.ts"
export {
  controllerManager,
  type ControllerManagerOptions,
  type LeaderElectionSettings,
  MANAGER_NAME,
  startControllers
} from "./controllers/ControllerManager.ts"
export { serveControllersCommand } from "./controllers/ServeControllersCommand.ts"
export type { ControllerMaker, Manager, NamedController } from "./controllers/Manager.ts"
export { CheckedClients, type ClientChecks } from "./checkers/CheckedClient.ts"
export { ClusterChecker } from "./checkers/ClusterChecker.ts"
export { type ClusterCase, type ClusterParts, drawClusterCase, runClusterCase } from "./explore/ClusterWorld.ts"
export { drawNodesCase, type NodesCase, type NodesHooks, runNodesCase } from "./explore/NodesWorld.ts"
export { type CaseRunner, CaseUnreadable, simCommand } from "./explore/SimCommand.ts"
export { firstDifference, type LogDifference, writeEventLog } from "./time/EventLogAdapter.ts"
export { upkeepControllers, upkeepControllersWith, type UpkeepMeans } from "./controllers/UpkeepControllers.ts"
export { certificatePort, type Authority } from "./controllers/identity/CertificatePortAdapter.ts"
export { type NodeLifecycleOptions, nodeLifecycleWith } from "./controllers/nodes/NodeLifecycle.ts"
export { type PodGarbageOptions, podGarbageWith } from "./controllers/nodes/PodGarbage.ts"
export { type EndpointSliceOptions, endpointSlicesWith } from "./controllers/network/EndpointSliceController.ts"
