// The catalog of real programs that this project compares itself with or drives: what each is for, how to ask its
// version, which version is new enough and how to get it. It is data: it neither looks for programs (Assets.ts) nor
// builds them (AssetBuild.ts). The pins repeat those of the go.mod files in modules/, and a test keeps the two equal.

/** How a Go program is built: the module folder under `modules/`, the package, and what differs from a plain `go build`. */
export interface Recipe {
  readonly module: "etcd" | "jaeger" | "kubernetes" | "kwok" | "apiserver-storage" | "tikv" | "tikv-pd"
  readonly package: string
  readonly version: string
  readonly linkerFlags?: string
  /** Set for test binaries (`go test -c`); the build tags, possibly empty. */
  readonly testTags?: string
  /** The build tags of a program. */
  readonly tags?: string
}

/** One program: where it comes from is either a Debian package (`apt`) or a recipe of ours (`build`). */
export interface Program {
  readonly purpose: string
  /** Arguments that make it print its version; a test binary has none. */
  readonly versionArguments?: ReadonlyArray<string>
  /** The oldest version that serves; older ones are passed over. */
  readonly atLeast?: string
  /** Names under which it may be installed, when they differ from its own. */
  readonly aliases?: ReadonlyArray<string>
  readonly apt?: string
  readonly build?: Recipe
}

const etcdVersion = "3.7.3"
const kubernetesVersion = "1.37.2"
const kwokVersion = "0.8.0"
const h2specVersion = "2.2.1"
const ginkgoVersion = "2.32.0"
const tidbVersion = "1.1.0-beta.0.20251126154744-e4e814fdc0af"
const pdVersion = "1.1.0-beta.0.20240407022249-7179657d129b"
const jaegerVersion = "1.76.0"

// Without these, clients see v0.0.0 and refuse to talk to it.
const kubernetesFlags = Object.entries({
  gitVersion: `v${kubernetesVersion}`,
  gitMajor: "1",
  gitMinor: "37",
  gitTreeState: "clean",
  gitCommit: "0".repeat(40),
  buildDate: "2026-01-01T00:00:00Z"
})
  .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
  .join(" ")

const etcdProgram = (path: string): Recipe => ({
  module: "etcd",
  package: `go.etcd.io/etcd/${path}/v3`,
  version: etcdVersion
})

const kubernetesProgram = (name: string): Recipe => ({
  module: "kubernetes",
  package: `k8s.io/kubernetes/cmd/${name}`,
  version: kubernetesVersion,
  linkerFlags: kubernetesFlags
})

const kwokProgram = (name: string): Recipe => ({
  module: "kwok",
  package: `sigs.k8s.io/kwok/cmd/${name}`,
  version: kwokVersion,
  linkerFlags: `-X sigs.k8s.io/kwok/pkg/consts.Version=v${kwokVersion}`
})

/** scheduler_perf, a test binary for each of its folders; its YAML files lie beside the sources in Go's module cache. */
const schedulerPerf = (folder: string): Program => ({
  purpose: `kube-scheduler's own benchmark, the workloads of ${folder}`,
  build: {
    module: "kubernetes",
    package: `k8s.io/kubernetes/test/integration/scheduler_perf/${folder}`,
    version: kubernetesVersion,
    linkerFlags: kubernetesFlags,
    testTags: ""
  }
})

/** Every program by name, in the order in which they are listed and built. */
export const catalog = {
  etcd: {
    purpose: "the store that ours is measured against",
    versionArguments: ["--version"],
    atLeast: "3.7",
    build: etcdProgram("server")
  },
  etcdctl: {
    purpose: "etcd's own client",
    versionArguments: ["version"],
    atLeast: "3.7",
    build: etcdProgram("etcdctl")
  },
  etcdutl: {
    purpose: "reads etcd's data files and snapshots",
    versionArguments: ["version"],
    atLeast: "3.7",
    build: etcdProgram("etcdutl")
  },
  "kube-apiserver": {
    purpose: "a real API server on any store",
    versionArguments: ["--version"],
    atLeast: "1.37",
    build: kubernetesProgram("kube-apiserver")
  },
  "kube-controller-manager": {
    purpose: "the real controllers",
    versionArguments: ["--version"],
    atLeast: "1.37",
    build: kubernetesProgram("kube-controller-manager")
  },
  "kube-scheduler": {
    purpose: "the real pod scheduler",
    versionArguments: ["--version"],
    atLeast: "1.37",
    build: kubernetesProgram("kube-scheduler")
  },
  kubectl: {
    purpose: "the client people use",
    versionArguments: ["version", "--client"],
    atLeast: "1.36",
    build: kubernetesProgram("kubectl")
  },
  kwok: {
    purpose: "hollow nodes and pods for a real API server",
    versionArguments: ["--version"],
    atLeast: "0.8",
    build: kwokProgram("kwok")
  },
  kwokctl: {
    purpose: "starts a cluster of real programs without containers",
    versionArguments: ["--version"],
    atLeast: "0.8",
    build: kwokProgram("kwokctl")
  },
  jaeger: {
    purpose: "the query server that people open traces with",
    versionArguments: ["version"],
    atLeast: "1.76",
    build: {
      module: "jaeger",
      package: "github.com/jaegertracing/jaeger/cmd/jaeger",
      version: jaegerVersion,
      linkerFlags: `-X github.com/jaegertracing/jaeger/internal/version.latestVersion=v${jaegerVersion}`
    }
  },
  h2spec: {
    purpose: "judges HTTP/2 conformance",
    versionArguments: ["--version"],
    build: {
      module: "etcd",
      package: "github.com/summerwind/h2spec/cmd/h2spec",
      version: h2specVersion,
      linkerFlags: `-X main.VERSION=${h2specVersion} -X main.COMMIT=v${h2specVersion}`
    }
  },
  h2load: { purpose: "loads HTTP/2 servers", versionArguments: ["--version"], apt: "nghttp2-client" },
  nghttp: { purpose: "a second HTTP/2 client", versionArguments: ["--version"], apt: "nghttp2-client" },
  curl: { purpose: "the HTTP client everyone has", versionArguments: ["--version"], apt: "curl" },
  nginx: { purpose: "a front that the gateway is measured beside", versionArguments: ["-v"], apt: "nginx-light" },
  chromium: {
    purpose: "opens reports as a reader does",
    versionArguments: ["--version"],
    aliases: ["chromium-browser", "google-chrome", "google-chrome-stable"],
    apt: "chromium"
  },
  "etcd-common.test": {
    purpose: "etcd's own test suite for any binary",
    build: {
      module: "etcd",
      package: "go.etcd.io/etcd/tests/v3/common",
      version: etcdVersion,
      testTags: "e2e"
    }
  },
  "apiserver-storage.test": {
    purpose: "the storage suite of kube-apiserver for any endpoint",
    build: { module: "apiserver-storage", package: ".", version: kubernetesVersion, testTags: "" }
  },
  "tikv-testbed": {
    purpose: "stores that speak TiKV's protocol, on this machine, for the tikv engine",
    build: { module: "tikv", package: ".", version: tidbVersion }
  },
  "pd-server": {
    purpose: "TiKV's Placement Driver, which tikv-testbed starts",
    versionArguments: ["-V"],
    build: {
      module: "tikv-pd",
      package: "github.com/tikv/pd/cmd/pd-server",
      version: pdVersion,
      tags: "without_dashboard",
      // Clients refuse one that does not say which release it is.
      linkerFlags: "-X github.com/tikv/pd/pkg/versioninfo.PDReleaseVersion=v8.1.0"
    }
  },
  "e2e.test": {
    purpose: "Kubernetes' own conformance tests, for `wharf conformance`",
    build: {
      module: "kubernetes",
      package: "k8s.io/kubernetes/test/e2e",
      version: kubernetesVersion,
      linkerFlags: kubernetesFlags,
      testTags: ""
    }
  },
  ginkgo: {
    purpose: "runs e2e.test in several processes",
    versionArguments: ["version"],
    build: { module: "kubernetes", package: "github.com/onsi/ginkgo/v2/ginkgo", version: ginkgoVersion }
  },
  "scheduler-perf-misc.test": schedulerPerf("misc"),
  "scheduler-perf-affinity.test": schedulerPerf("affinity"),
  "scheduler-perf-topology_spreading.test": schedulerPerf("topology_spreading"),
  "scheduler-perf-default_preemption.test": schedulerPerf("default_preemption")
} as const satisfies Record<string, Program>

/** The name of a program in the catalog. */
export type ProgramName = keyof typeof catalog

/** All names, in catalog order. */
// SAFETY: Object.keys of a literal gives exactly its keys.
export const programNames = Object.keys(catalog) as ReadonlyArray<ProgramName>

/** One program's entry, widened so that every optional field can be asked for. */
export const programOf = (name: ProgramName): Program => catalog[name]

/** Names that stand for several: `wharf assets build` with no name builds `default`. */
export const buildGroups: Readonly<Record<string, ReadonlyArray<ProgramName>>> = {
  kubernetes: ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"],
  suites: ["etcd-common.test", "apiserver-storage.test"],
  tikv: ["tikv-testbed", "pd-server"],
  e2e: ["e2e.test", "ginkgo"],
  "scheduler-perf": [
    "scheduler-perf-misc.test",
    "scheduler-perf-affinity.test",
    "scheduler-perf-topology_spreading.test",
    "scheduler-perf-default_preemption.test"
  ],
  default: [
    "etcd",
    "etcdctl",
    "etcdutl",
    "h2spec",
    "kwok",
    "kwokctl",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl"
  ]
}

/** What a person types to get a program, as one line. */
export const howToGet = (name: ProgramName): string => {
  const { apt } = programOf(name)
  return apt === undefined ? `wharf assets build ${name}` : `apt-get install ${apt}`
}
