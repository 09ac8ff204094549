// The real kubectl against the front on a real socket: TLS, the administrator's client certificate, and the built-in resources on a
// memory without rules. What the rules make of it is asked elsewhere.
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll, expect, it } from "vitest"
import { machineClockwork } from "#kube"
import { listen } from "#net"
import { Authenticator, Rejected } from "../../../core/apiserver/authn/Authenticator.ts"
import { CertificateAuthorities, clientCertificates } from "../../../core/apiserver/authn/ClientCertificate.ts"
import { clusterCertificates } from "../../../core/apiserver/http/ClusterCertificatesAdapter.ts"
import { type Front, makeFront } from "../../../core/apiserver/http/Front.ts"
import { kubeconfigText } from "../../../core/apiserver/http/KubeconfigText.ts"
import { describeWith } from "../../Judges.ts"
import { builtInDefinitions, FakeApi } from "./FakeApi.ts"

const run = promisify(execFile)

describeWith("kubectl")("kubectl", ({ kubectl }) => {
  const directory = mkdtempSync(join(tmpdir(), "kubectl-"))
  const scope = Scope.makeUnsafe()
  let front: Front
  const env = { ...process.env, HOME: directory, KUBECONFIG: join(directory, "config") }

  const ask = async (...args: ReadonlyArray<string>) => (await run(kubectl, args, { env, timeout: 20_000 })).stdout
  const refused = (...args: ReadonlyArray<string>) =>
    run(kubectl, args, { env, timeout: 20_000 }).then(
      () => "",
      (error: { readonly stderr: string }) => error.stderr.trim()
    )

  beforeAll(async () => {
    const certificates = await Effect.runPromise(
      clusterCertificates({ directory: join(directory, "pki"), hosts: ["127.0.0.1", "localhost"] })
    )
    const again = await Effect.runPromise(
      clusterCertificates({ directory: join(directory, "pki"), hosts: ["127.0.0.1", "localhost"] })
    )
    expect(again).toEqual(certificates)
    const api = new FakeApi(machineClockwork, builtInDefinitions())
    const identity = new Authenticator({
      ways: [clientCertificates(new CertificateAuthorities(certificates.ca), machineClockwork.now)],
      anonymous: false
    })
    front = makeFront({
      api,
      authenticator: {
        authenticate: (exchange, done) => {
          const known = identity.authenticate(exchange, exchange.path)
          done(known instanceof Rejected ? undefined : known.user)
        }
      },
      authorizer: { authorize: ({ user }) => ({ allowed: user.groups.includes("system:masters"), reason: "" }) },
      onDefect: (defect) => process.emitWarning(String(defect))
    })
    const listening = await Effect.runPromise(
      listen({
        host: "127.0.0.1",
        port: 0,
        methods: [],
        exchange: front.handler,
        tls: {
          context: () => ({ cert: certificates.server.cert, key: certificates.server.key, ca: certificates.ca }),
          clientAuth: "optional"
        }
      }).pipe(Effect.provideService(Scope.Scope, scope))
    )
    const server = `https://127.0.0.1:${listening.port}`
    writeFileSync(env.KUBECONFIG, kubeconfigText({ server, name: "test", certificates }))
  })

  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(directory, { recursive: true })
  })

  it("sees a server of its own version and all its resources", async () => {
    expect(await ask("version")).toContain("Server Version: v1.37.2")
    const resources = await ask("api-resources", "-o", "name")
    expect(resources.split("\n")).toEqual(
      expect.arrayContaining(["pods", "deployments.apps", "clusterroles.rbac.authorization.k8s.io"])
    )
    expect(await ask("get", "--raw", "/readyz")).toBe("ok")
  })

  it("explains fields from the OpenAPI documents", async () => {
    expect(await ask("explain", "deployment.spec.strategy")).toContain("rollingUpdate\t<RollingUpdateDeployment>")
  })

  it("applies, reads, changes, follows and deletes", async () => {
    const file = join(directory, "cm.yaml")
    writeFileSync(file, `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { x: "1" }\n`)
    expect(await ask("apply", "-f", file)).toBe("configmap/a created\n")
    expect(await ask("apply", "-f", file)).toBe("configmap/a unchanged\n")
    expect(await ask("get", "cm")).toMatch(/^NAME\s+AGE\na\s+\d+\n$/)
    expect(await ask("get", "cm", "a", "-o", "jsonpath={.data.x}")).toBe("1")
    const followed = run(kubectl, ["get", "cm", "a", "-w", "--output-watch-events"], {
      env,
      timeout: 60_000
    })
    const seen: Array<string> = []
    followed.child.stdout?.on("data", (text: string) => void seen.push(text))
    await expect.poll(() => seen.join("")).toContain("ADDED")
    expect(await ask("label", "cm", "a", "tier=web")).toBe("configmap/a labeled\n")
    await expect.poll(() => seen.join("")).toContain("MODIFIED")
    expect(await ask("delete", "cm", "a")).toContain(`"a" deleted`)
    await expect.poll(() => seen.join("")).toContain("DELETED")
    // The end of a watch in good order makes kubectl ask again; stopping it is ours.
    const open = front.openWatches()
    followed.child.kill()
    await followed.catch(() => undefined)
    await expect.poll(() => front.openWatches()).toBeLessThan(open)
  })

  it("is told what is wrong in Kubernetes' words", async () => {
    expect(await refused("get", "cm", "none")).toBe(`Error from server (NotFound): configmaps "none" not found`)
    expect(await refused("get", "nothings")).toBe(`error: the server doesn't have a resource type "nothings"`)
    const refusal = await refused("get", "cm", "--as", "nobody")
    expect(refusal).toBe(
      `Error from server (Forbidden): configmaps is forbidden: User "nobody" cannot list resource "configmaps" in API group "" in the namespace "default"`
    )
  })
})
