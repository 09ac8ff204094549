// The door of kind: real programs on this machine, found or built. Real clusters made of them will stand here too.
export {
  AssetMissing,
  AssetReport,
  assetVersion,
  cacheDirectory,
  findAsset,
  surveyAssets,
  type Asset
} from "./Assets.ts"
export { assetsCommand } from "./AssetsCommand.ts"
export { catalog, howToGet, programNames, type ProgramName } from "./Catalog.ts"
