// One configuration for all tests: files mirror the rooms, two run at a time, because two cores are all there is. Those that start
// servers and judges come after the others, the long suites of real programs last; etcd's own suite runs alone, since it gives a
// server seconds to start.
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

const alone = ["test/storage/EtcdSuite.test.ts"]
/** The longest first, so that none of them is left alone at the end. */
const suites = [
  "test/storage/ApiserverStorage.test.ts",
  "test/storage/Kubernetes.test.ts",
  "test/apiserver/kubectl/Tour.test.ts",
  "test/gateway/judges/Tour.test.ts",
  "test/scenarios/targets/ProcessTarget.test.ts",
  "test/tenancy/judges/Tour.test.ts",
  "test/scenarios/clusters/ClusterCommand.test.ts",
  "test/sim/controllers/RealUpkeep.test.ts",
  "test/kind/Manifests.test.ts"
]

class SuitesAsListed extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const rank = ({ moduleId }: TestSpecification): number => suites.findIndex((path) => moduleId.endsWith(path))
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}
const judged = [
  "test/gateway/path/RealCluster.test.ts",
  "test/storage/*.test.ts",
  "test/sim/cluster/ServeCluster.test.ts",
  "test/scheduling/ServeScheduler.test.ts",
  "test/sim/controllers/Real*.test.ts",
  "test/sim/controllers/Workloads.test.ts",
  "test/apiserver/kubectl/**/*.test.ts",
  "test/federation/judges/*.test.ts",
  "test/gateway/judges/*.test.ts",
  "test/tenancy/judges/*.test.ts",
  "test/tenancy/serve/*.test.ts",
  "test/tracing/judges/*.test.ts",
  "test/tracing/serve/*.test.ts",
  "test/scenarios/Run.test.ts",
  "test/scenarios/ClusterRun.test.ts",
  "test/scenarios/federation/FederationRun.test.ts",
  "test/scenarios/front/FrontRun.test.ts",
  "test/scenarios/traces/TracingRun.test.ts",
  "test/scheduling/real/*.test.ts",
  "test/gateway/serve/*.test.ts",
  "test/package.test.ts"
]
const shared = {
  testTimeout: 120_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 30_000 } },
  pool: "forks",
  setupFiles: ["./test/Seed.ts"],
  maxWorkers: 2
}

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    sequence: { sequencer: SuitesAsListed },
    reporters: process.env.CI ? ["default", "./test/CiReporter.ts"] : ["default"],
    projects: [
      {
        test: {
          ...shared,
          name: "rooms",
          isolate: false,
          include: ["test/**/*.test.ts"],
          exclude: [...judged, ...suites, ...alone],
          sequence: { groupOrder: 0 }
        }
      },
      {
        test: {
          ...shared,
          name: "judges",
          include: judged,
          exclude: [...suites, ...alone],
          sequence: { groupOrder: 1 }
        }
      },
      { test: { ...shared, name: "suites", include: suites, sequence: { groupOrder: 2 } } },
      { test: { ...shared, name: "alone", include: alone, maxWorkers: 1, sequence: { groupOrder: 3 } } }
    ]
  }
})
