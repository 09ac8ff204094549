// `wharf serve apiserver` as a user has it: a process of its own, the real kubectl, and a restart that finds everything again.
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, it } from "vitest"
import { describeWith } from "../Judges.ts"

const run = promisify(execFile)
const wharf = fileURLToPath(new URL("../../bin/wharf", import.meta.url))

const crd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: crontabs.stable.example.com }
spec:
  group: stable.example.com
  scope: Namespaced
  names: { plural: crontabs, kind: CronTab, shortNames: [ct] }
  versions:
    - name: v1
      served: true
      storage: true
      additionalPrinterColumns: [{ name: Replicas, type: integer, jsonPath: .spec.replicas }]
      subresources: { status: {}, scale: { specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas } }
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [cronSpec]
              x-kubernetes-validations: [{ rule: "self.replicas <= 10", message: at most ten }]
              properties:
                cronSpec: { type: string, pattern: '^[0-9* /]+$' }
                replicas: { type: integer, minimum: 1, default: 1 }
            status: { type: object, properties: { replicas: { type: integer } } }
`
const cronTab = `
apiVersion: stable.example.com/v1
kind: CronTab
metadata: { name: a }
spec: { cronSpec: "* * * * */5" }
`

describeWith("kubectl")("wharf serve apiserver", ({ kubectl }) => {
  const directory = mkdtempSync(join(tmpdir(), "apiserver-"))
  const config = join(directory, "admin.conf")
  const env = { ...process.env, HOME: directory, KUBECONFIG: config }
  let server: ChildProcess

  const start = (): Promise<void> =>
    new Promise((ready, failed) => {
      const flags = ["--listen", "127.0.0.1:0", "--data-dir", join(directory, "data"), "--kubeconfig", config]
      server = spawn(wharf, ["serve", "apiserver", ...flags], { stdio: ["ignore", "pipe", "inherit"] })
      server.stdout?.on("data", (text: Buffer) => {
        if (String(text).includes("serving https://")) ready()
      })
      server.once("exit", (code) => failed(new Error(`the server ended with ${code}`)))
    })

  const stop = (): Promise<number | null> =>
    new Promise((ended) => {
      server.removeAllListeners("exit").once("exit", (code) => ended(code))
      server.kill("SIGTERM")
    })

  const ask = async (...args: ReadonlyArray<string>) => (await run(kubectl, args, { env, timeout: 20_000 })).stdout
  const refused = (...args: ReadonlyArray<string>) =>
    run(kubectl, args, { env, timeout: 20_000 }).then(
      () => "",
      (error: { readonly stderr: string }) => error.stderr.trim()
    )
  const apply = (text: string, ...args: ReadonlyArray<string>) => {
    const file = join(directory, "applied.yaml")
    writeFileSync(file, text)
    return ask("apply", "-f", file, ...args)
  }

  beforeAll(start)
  afterAll(async () => {
    await stop()
    rmSync(directory, { recursive: true })
  })

  it("has what every cluster has", async () => {
    const namespaces = await ask("get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}")
    expect(namespaces).toBe("default kube-node-lease kube-public kube-system")
    expect(await ask("get", "clusterrole", "cluster-admin", "-o", "name")).toContain("cluster-admin")
    expect(await ask("get", "--raw", "/readyz")).toBe("ok")
  })

  it("defaults, applies on the server's side, names conflicts, and refuses in Kubernetes' words", async () => {
    const deployment = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"nginx"}]}}}}`
    expect(await apply(deployment, "--server-side")).toBe("deployment.apps/web serverside-applied\n")
    const path = "jsonpath={.spec.strategy.rollingUpdate.maxSurge} {.spec.template.spec.restartPolicy}"
    expect(await ask("get", "deployment", "web", "-o", path)).toBe("25% Always")
    expect(await ask("scale", "deployment", "web", "--replicas", "5")).toContain("scaled")
    const conflict = await refused("apply", "--server-side", "-f", join(directory, "applied.yaml"))
    expect(conflict).toContain(`conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas`)
    expect(await refused("get", "pods", "--as", "bob")).toContain(`User "bob" cannot list resource "pods"`)
  })

  it("serves custom resources by their definition, and takes them away with it", async () => {
    await apply(crd)
    await ask("wait", "--for=condition=established", "--timeout=10s", "crd/crontabs.stable.example.com")
    await apply(cronTab)
    expect(await ask("get", "ct")).toMatch(/^NAME\s+REPLICAS\na\s+1\n$/)
    expect(await ask("scale", "ct", "a", "--replicas", "3")).toContain("scaled")
    expect(await refused("patch", "ct", "a", "--type=merge", "-p", `{"spec":{"replicas":11}}`)).toContain("at most ten")
    expect(await refused("patch", "ct", "a", "--type=merge", "-p", `{"spec":{"replicas":0}}`)).toContain(
      "spec.replicas in body should be greater than or equal to 1"
    )
    expect(await ask("explain", "crontab.spec")).toContain("cronSpec\t<string> -required-")
  })

  it("finds everything again after a restart, its certificates too", async () => {
    const before = readFileSync(config, "utf8").match(/certificate-authority-data: .*/)?.[0]
    expect(await stop()).toBe(0)
    await start()
    expect(readFileSync(config, "utf8")).toContain(before)
    expect(await ask("get", "ct", "a", "-o", "jsonpath={.spec.replicas}")).toBe("3")
    expect(await ask("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}")).toBe("5")
    await ask("delete", "crd", "crontabs.stable.example.com", "--timeout=15s")
    expect(await refused("get", "ct")).toContain("NotFound")
  })
})
