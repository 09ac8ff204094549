// Clusters in containers, against a recorded kind command: what it is called with, what is written for it, and that what is missing is
// said in one line. The recording plays kind 0.31's answers; a real kind is asked where one is.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach } from "vitest"
import { parse } from "yaml"
import { kindClusters, kindConfig, loadImages, needKind, openKindCluster } from "#kind"

const folder = mkdtempSync(join(tmpdir(), "wharf-kind-"))
const { PATH: path = "" } = process.env
afterEach(() => {
  process.env["PATH"] = path
  rmSync(join(folder, "calls"), { force: true })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A kind that writes down how it was called and answers as the real one does. */
const record = (cases: Readonly<Record<string, string>>): void => {
  const file = join(folder, "kind")
  const branches = Object.entries(cases).map(([pattern, commands]) => `  ${pattern}) ${commands};;`)
  writeFileSync(file, `#!/bin/sh\necho "$*" >> ${folder}/calls\ncase "$*" in\n${branches.join("\n")}\nesac\n`)
  chmodSync(file, 0o755)
  process.env["PATH"] = `${folder}:/usr/bin:/bin`
}

const calls = (): ReadonlyArray<string> => readFileSync(join(folder, "calls"), "utf8").trim().split("\n")

const whole = {
  version: 'echo "kind v0.31.0 go1.25.5 linux/amd64"',
  '"get clusters"': 'echo "No kind clusters found." >&2',
  '"create cluster"*': 'echo "Creating cluster ..." >&2',
  '"delete cluster"*': "true",
  '"load docker-image"*': "true"
}

const run = <A, E>(effect: Effect.Effect<A, E, NodeServices.NodeServices>) =>
  Effect.runPromiseExit(effect.pipe(Effect.provide(NodeServices.layer)))

const failure = (exit: Exit.Exit<unknown, { readonly message: string }>): string =>
  Exit.isFailure(exit) ? (exit.cause.reasons.map((one) => ("error" in one ? one.error.message : "")).join() ?? "") : ""

describe("kind", () => {
  it("is called to create a cluster of our configuration, and to delete it when the scope closes", async () => {
    record(whole)
    const directory = join(folder, "one")
    const options = { name: "one", image: "kindest/node:v1.37.0", storeUrls: ["http://172.17.0.1:2379"] }
    const exit = await run(
      Effect.scoped(
        Effect.gen(function* () {
          const { kubeconfig } = yield* openKindCluster(options, directory)
          yield* loadImages("one", ["web:1"])
          return kubeconfig
        })
      )
    )
    assert.deepStrictEqual(exit, Exit.succeed(join(directory, "kubeconfig")))
    assert.deepStrictEqual(calls(), [
      "version",
      "get clusters",
      "get clusters",
      `create cluster --name one --config ${directory}/kind.yaml --kubeconfig ${directory}/kubeconfig --wait 180s`,
      "load docker-image web:1 --name one",
      "delete cluster --name one"
    ])
    assert.strictEqual(readFileSync(join(directory, "kind.yaml"), "utf8"), kindConfig(options))
  })

  it("deletes what was half made, and says what kind said, with the way to an image", async () => {
    const said = 'ERROR: failed to create cluster: failed to pull image \\"kindest/node:v9\\": not found'
    record({ ...whole, '"create cluster"*': `echo "${said}" >&2; exit 1` })
    const exit = await run(
      Effect.scoped(openKindCluster({ name: "two", image: "kindest/node:v9" }, join(folder, "two")))
    )
    assert.match(
      failure(exit),
      /^kind cannot create two: ERROR: failed to create cluster: .*docker pull kindest\/node:v9$/
    )
    assert.include(calls(), "delete cluster --name two")
  })

  it("leaves a cluster of others alone", async () => {
    record({ ...whole, '"get clusters"': "echo theirs" })
    const exit = await run(Effect.scoped(openKindCluster({ name: "theirs" }, join(folder, "theirs"))))
    assert.match(failure(exit), /a kind cluster named theirs is there already/)
    assert.isFalse(calls().some((call) => call.startsWith("delete") || call.startsWith("create")))
    assert.isFalse(existsSync(join(folder, "theirs")))
  })

  it("names what is missing in one line, with the way to get it", async () => {
    process.env["PATH"] = join(folder, "nothing")
    assert.match(
      failure(await run(Effect.scoped(openKindCluster({ name: "x" }, folder)))),
      /^kind was not found on PATH; get it with: \S/
    )
    record({ ...whole, '"get clusters"': "echo 'Cannot connect to the Docker daemon' >&2; exit 1" })
    assert.match(
      failure(await run(Effect.scoped(openKindCluster({ name: "x" }, folder)))),
      /^kind finds no containers: .*get it with: \S/
    )
  })
})

describe("kind's configuration", () => {
  it("has nodes, ports, gates, an external store and an audit webhook where kubeadm looks for them", () => {
    const config = parse(
      kindConfig({
        name: "all",
        controlPlanes: 2,
        workers: 1,
        image: "kindest/node:v1.37.0",
        ports: [{ containerPort: 30_000, hostPort: 8080 }],
        featureGates: { WatchList: true },
        storeUrls: ["http://172.17.0.1:2379"],
        audit: { folder: "/tmp/audit", hasWebhook: true }
      })
    )
    assert.deepInclude(config, {
      kind: "Cluster",
      apiVersion: "kind.x-k8s.io/v1alpha4",
      name: "all",
      featureGates: { WatchList: true }
    })
    const [first, second, worker] = config.nodes
    assert.deepStrictEqual(worker, { role: "worker", image: "kindest/node:v1.37.0" })
    assert.deepStrictEqual(first.extraPortMappings, [
      { listenAddress: "127.0.0.1", containerPort: 30_000, hostPort: 8080 }
    ])
    assert.notProperty(second, "extraPortMappings")
    assert.deepStrictEqual(first.extraMounts, [
      { hostPath: "/tmp/audit", containerPath: "/etc/kubernetes/wharf-audit", readOnly: true }
    ])
    const patch = parse(first.kubeadmConfigPatches[0])
    assert.deepStrictEqual(patch.etcd, { external: { endpoints: ["http://172.17.0.1:2379"] } })
    assert.deepStrictEqual(patch.apiServer.extraArgs, [
      { name: "audit-policy-file", value: "/etc/kubernetes/wharf-audit/audit-policy.yaml" },
      { name: "audit-webhook-config-file", value: "/etc/kubernetes/wharf-audit/audit-webhook.yaml" }
    ])
    const plain = parse(kindConfig({ name: "plain" }))
    assert.deepStrictEqual(plain.nodes, [{ role: "control-plane" }])
  })
})

describe("the kind of this machine", () => {
  it("makes a cluster that is gone afterwards, or is missing in one line", { timeout: 600_000 }, async () => {
    process.env["PATH"] = path
    const here = await run(needKind)
    const exit = await run(
      Effect.scoped(openKindCluster({ name: "wharf-real" }, join(folder, "real"))).pipe(Effect.andThen(kindClusters))
    )
    if (Exit.isSuccess(here)) assert.isTrue(Exit.isSuccess(exit) && !exit.value.includes("wharf-real"), failure(exit))
    else assert.match(failure(exit), /^kind (was not found on PATH|finds no containers).*; get it with: \S[^\n]*$/)
  })
})
