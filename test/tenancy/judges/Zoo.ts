// A tenancy server before a cluster of the rig, with tenants that are ready to be used.
// Owns the process and the tenants' kubeconfigs; refuses to ask anything for them.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { until } from "../../apiserver/kubectl/Rig.ts"
import { type Access, asking } from "../../front/Access.ts"
import { accessIn } from "../../front/AccessFile.ts"
import { type Front, startWharf } from "../../front/Front.ts"
import { callOf, type Upstream } from "../../front/Upstream.ts"

export interface Zoo {
  readonly front: Front
  /** Manages tenants at the front. */
  readonly operator: Access
  readonly tenants: ReadonlyMap<string, Access>
  /** A kubeconfig of one tenant's administrator, as the server wrote it. */
  readonly stop: () => Promise<void>
}

const TENANTS = "/apis/tenant.kubezoo.io/v1alpha1/tenants"
const JSON_BODY = { "content-type": "application/json" }

const addTenant = async (operator: Access, folder: string, id: string, spec: object): Promise<Access> => {
  const { ask, close } = asking(operator)
  try {
    const tenant = { apiVersion: "tenant.kubezoo.io/v1alpha1", kind: "Tenant", metadata: { name: id }, spec }
    const made = await ask(TENANTS, { method: "POST", headers: JSON_BODY, body: JSON.stringify(tenant) })
    if (made.code !== 201) throw new Error(`tenant ${id}: ${made.code} ${made.body.toString()}`)
    let config = ""
    await until(`the kubeconfig of ${id}`, async () => {
      const reply = await ask(`${TENANTS}/${id}/kubeconfig`, { method: "POST", body: "" })
      config = reply.body.toString()
      return reply.code === 201
    })
    const access = accessIn(config, folder, id)
    const { call, close: closeOwn } = callOf(access)
    await until(`the namespaces of ${id}`, async () => {
      const account = await call("GET", "/api/v1/namespaces/default/serviceaccounts/default")
      const system = await call("GET", "/api/v1/namespaces/kube-system")
      return account.code === 200 && system.code === 200
    })
    closeOwn()
    return access
  } finally {
    close()
  }
}

/** Starts it with these tenants before the cluster of a kubeconfig; ready when each has its default service account. */
export const startZooAt = async (
  { folder, upstreamConfig }: { readonly folder: string; readonly upstreamConfig: string },
  ids: ReadonlyArray<string>,
  spec: object = {}
): Promise<Zoo> => {
  const file = join(folder, "operator.conf")
  // One caller asks as fast as a whole tenant's people would.
  const limits = ["--tenant-requests-per-second", "5000", "--tenant-burst", "5000"]
  const args = ["tenancy", "--upstream-kubeconfig", upstreamConfig, "--listen", "127.0.0.1:0", "--kubeconfig", file]
  const front = await startWharf([...args, ...limits], { folder })
  try {
    await until("the operator's kubeconfig", () => /try: kubectl/.test(front.said()))
    const operator = accessIn(readFileSync(file, "utf8"), folder, "operator")
    const tenants = new Map<string, Access>()
    for (const id of ids) tenants.set(id, await addTenant(operator, folder, id, spec))
    return { front, operator, tenants, stop: front.stop }
  } catch (failure) {
    process.stderr.write(front.said().slice(-3000))
    await front.stop()
    throw failure
  }
}

/** Starts it before a cluster of the rig; another kubeconfig than root's may lead there. */
export const startZoo = (
  { folder }: Upstream,
  ids: ReadonlyArray<string>,
  upstreamConfig = join(folder, "root.conf")
): Promise<Zoo> => startZooAt({ folder, upstreamConfig }, ids)
