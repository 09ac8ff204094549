// The door of kind: real programs on this machine, found or built, and control planes made of them. It owns no judgement of them; tests
// and scenarios start what is found here and judge for themselves.
export {
  AssetMissing,
  AssetReport,
  AssetsDocument,
  assetVersion,
  cacheDirectory,
  findAsset,
  surveyAssets,
  type Asset
} from "./Assets.ts"
export { assetsCommand } from "./AssetsCommand.ts"
export { catalog, howToGet, programNames, type ProgramName } from "./Catalog.ts"
export {
  deleteKindCluster,
  hostForContainers,
  kindClusters,
  type KindCluster,
  type KindServices,
  KindUnavailable,
  loadImages,
  needKind,
  openKindCluster,
  signalApiServer
} from "./docker/KindCluster.ts"
export { kindConfig, type KindConfigOptions, type KindPort } from "./docker/KindConfig.ts"
export { openRelay, type Relay, RelayFailed, type RelayOptions } from "./process/Relay.ts"
export {
  type ControlPlaneOptions,
  openControlPlane,
  type PlaneProcess,
  type PlaneServices,
  PlaneUnusable,
  type RunningPlane
} from "./process/ControlPlane.ts"
export { kubeconfigText, type PlaneFiles, type PlanePart, planeParts } from "./process/PlaneFiles.ts"
export { type Child, type ChildCommand, launch, ServerFailed, stop } from "./process/ChildServer.ts"
export { freePort } from "./process/FreePort.ts"
export { answersOk, type Asked, askOnce, type Told } from "./process/HttpsProbe.ts"
export { openReaper, type Reaper } from "./process/Reaper.ts"
export { etcdSuiteFolder, FixturesMissing, schedulerPerfFolder } from "./SuiteFixtures.ts"
