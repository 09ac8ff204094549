// The manifests that deploy each system into a cluster: a real API server takes them whole, every flag in them is one that the command
// has, and every probe asks a path of this project's servers on a port that the container opens.
import { execFile } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, describe, it } from "vitest"
import { parseAllDocuments } from "yaml"
import { packageRoot } from "../../scenarios/PackageRoot.ts"
import { describeWith } from "../Judges.ts"
import { startApiServer } from "../kube/RealApiServer.ts"

const folder = join(packageRoot, "kind", "manifests")
const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"))
const run = promisify(execFile)
const made = mkdtempSync(join(tmpdir(), "wharf-manifests-"))
afterAll(() => rmSync(made, { recursive: true, force: true }))

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
}
interface Container {
  readonly args: ReadonlyArray<string>
  readonly ports: ReadonlyArray<{ readonly name: string }>
  readonly startupProbe: Probe
  readonly readinessProbe: Probe
  readonly livenessProbe: Probe
}
interface Workload {
  readonly spec?: { readonly template?: { readonly spec: { readonly containers: ReadonlyArray<Container> } } }
}

const containersIn = (file: string): ReadonlyArray<Container> =>
  parseAllDocuments(readFileSync(join(folder, file), "utf8")).flatMap((document) => {
    // SAFETY: only fields that every Kubernetes object may lack are read.
    const { spec } = document.toJS() as Workload
    return spec?.template?.spec.containers ?? []
  })

describe("a manifest", () => {
  it.each(files)(
    "%s uses flags that there are, and asks probes where the container answers",
    async (file) => {
      const containers = containersIn(file)
      assert.isNotEmpty(containers)
      for (const { args, livenessProbe, ports, readinessProbe, startupProbe } of containers) {
        const [serve, system, ...flags] = args
        assert.strictEqual(serve, "serve")
        const { stdout } = await run(process.execPath, [join(packageRoot, "wharf.ts"), "serve", system, "--help"])
        for (const flag of flags) assert.include(stdout, `${flag.replace(/=.*/s, "")} `, flag)
        for (const { httpGet } of [startupProbe, readinessProbe, livenessProbe]) {
          assert.match(httpGet.path, /^\/(livez|readyz)$/)
          assert.include(
            ports.map(({ name }) => name),
            httpGet.port
          )
        }
      }
    },
    60_000
  )
})

describeWith(
  "etcd",
  "kube-apiserver",
  "kubectl"
)("a real API server", (programs) => {
  it("takes all of them", async () => {
    const server = await startApiServer(programs)
    try {
      const kubeconfig = join(made, "kubeconfig")
      const cluster = `{ server: "${server.url}", insecure-skip-tls-verify: true }`
      writeFileSync(
        kubeconfig,
        `apiVersion: v1
kind: Config
current-context: it
clusters: [{ name: it, cluster: ${cluster} }]
contexts: [{ name: it, context: { cluster: it, user: it } }]
users: [{ name: it, user: { token: ${server.token} } }]
`
      )
      const kubectl = (...words: ReadonlyArray<string>) => run(programs.kubectl, ["--kubeconfig", kubeconfig, ...words])
      // Objects in a namespace are refused before it is there, also in a dry run.
      await kubectl("create", "namespace", "kubewharf")
      for (const file of files) {
        const { stderr, stdout } = await kubectl(
          "apply",
          "--server-side",
          "--dry-run=server",
          "--validate=strict",
          "--filename",
          join(folder, file)
        )
        assert.strictEqual(stderr, "", file)
        assert.match(stdout, /statefulset\.apps\/\w+ serverside-applied \(server dry run\)|deployment\.apps/, file)
      }
    } finally {
      await server.stop()
    }
  }, 120_000)
})
