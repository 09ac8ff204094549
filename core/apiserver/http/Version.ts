// /version: which Kubernetes this server speaks for. Clients compare minor versions and refuse what is too far from their own.
// Owns the numbers; the build they name is ours, the API is Kubernetes'.

/** The version whose API is served. */
export const KUBERNETES_VERSION = "v1.37.2"

/** version.Info as kube-apiserver sends it. */
export const versionInfo = {
  major: "1",
  minor: "37",
  emulationMajor: "1",
  emulationMinor: "37",
  minCompatibilityMajor: "1",
  minCompatibilityMinor: "36",
  gitVersion: `${KUBERNETES_VERSION}+kubewharf`,
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "none",
  compiler: "typescript",
  platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`
} as const
