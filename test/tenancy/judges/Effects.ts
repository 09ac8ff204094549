// What a tenant's objects do to others once they are taken: bindings, webhooks, and continue tokens of somebody else.
// Owns these few scenes, which need more than one request; each says what went wrong, and nothing when a wall stands.
import type { Asking, Reply } from "../../front/Access.ts"
import { until } from "../../apiserver/kubectl/Rig.ts"
import type { Provers } from "./Attack.ts"
import { ATTACKER, JSON_BODY, LAIR, VAULT, VAULT_UPSTREAM, VICTIM, VICTIM_MARK } from "./Parties.ts"

export type Scene = (provers: Provers) => Promise<ReadonlyArray<string>>

const RBAC = "rbac.authorization.k8s.io"

const post = (who: Asking, path: string, body: object): Promise<Reply> =>
  who.ask(path, { method: "POST", headers: JSON_BODY, body: JSON.stringify(body) })

const check = (wrong: Array<string>, what: string, isRight: boolean, reply?: Reply): void => {
  if (!isRight) wrong.push(reply === undefined ? what : `${what}: ${reply.code} ${reply.body.toString().slice(0, 300)}`)
}

/** Whether somebody may read secrets in a namespace, as upstream's authorizer says. */
const mayRead = async (
  { platform }: Provers,
  spec: { readonly user: string; readonly groups?: ReadonlyArray<string> },
  namespace: string
): Promise<boolean> => {
  const attributes = { verb: "get", resource: "secrets", namespace }
  const review = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview" }
  const reply = await post(platform, "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
    ...review,
    spec: { ...spec, resourceAttributes: attributes }
  })
  const { status } = JSON.parse(reply.body.toString()) as { readonly status?: { readonly allowed?: boolean } }
  return status?.allowed === true
}

/** Everybody whom a tenant might want to draw into its namespace, or itself into theirs. */
const foreign = [
  { user: `${VICTIM}-admin` },
  { user: "somebody", groups: ["system:authenticated"] },
  { user: "somebody", groups: ["system:serviceaccounts"] },
  { user: `system:serviceaccount:${VAULT_UPSTREAM}:default`, groups: [`system:serviceaccounts:${VAULT_UPSTREAM}`] },
  { user: "system:serviceaccount:kube-system:default" }
]

const subjects = [
  ...["admin", `${VICTIM}-admin`, "reader"].map((name) => ({ kind: "User", apiGroup: RBAC, name })),
  ...["system:authenticated", "system:serviceaccounts", "system:unauthenticated", "readers"].map((name) => ({
    kind: "Group",
    apiGroup: RBAC,
    name
  })),
  { kind: "ServiceAccount", name: "default", namespace: VAULT_UPSTREAM },
  { kind: "ServiceAccount", name: "default", namespace: "kube-system" },
  { kind: "ServiceAccount", name: "default", namespace: LAIR }
]

/** Bindings reach nobody else, one subject after another, for those that are refused must not hide the others. */
export const bindings: Scene = async (provers) => {
  const { self } = provers
  const wrong: Array<string> = []
  const rules = [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }]
  const role = await post(self, `/apis/${RBAC}/v1/clusterroles`, {
    apiVersion: `${RBAC}/v1`,
    kind: "ClusterRole",
    metadata: { name: "all" },
    rules
  })
  check(wrong, "a cluster role of its own", role.code === 201, role)
  for (const [at, subject] of subjects.entries()) {
    for (const [kind, path] of [
      ["RoleBinding", `/apis/${RBAC}/v1/namespaces/${LAIR}/rolebindings`],
      ["ClusterRoleBinding", `/apis/${RBAC}/v1/clusterrolebindings`]
    ] as const) {
      const body = { apiVersion: `${RBAC}/v1`, kind, metadata: { name: `b${at}` } }
      const roleRef = { apiGroup: RBAC, kind: "ClusterRole", name: "all" }
      const reply = await post(self, path, { ...body, roleRef, subjects: [subject] })
      check(wrong, `a ${kind} of ${JSON.stringify(subject)}`, reply.code < 500, reply)
    }
  }
  const lair = `${ATTACKER}-${LAIR}`
  const own = { user: `system:serviceaccount:${lair}:default` }
  await until("the binding's effect on its own account", () => mayRead(provers, own, lair)).catch(() =>
    wrong.push("its own service account may not read its own secrets, so that nothing is proved")
  )
  for (const one of foreign) {
    check(wrong, `${JSON.stringify(one)} may read the attacker's secrets`, !(await mayRead(provers, one, lair)))
  }
  for (const one of [own, { user: `${ATTACKER}-reader` }, { user: `${ATTACKER}-admin` }, { user: "admin" }]) {
    for (const namespace of [VAULT_UPSTREAM, "kube-system", "default"]) {
      check(wrong, `${one.user} may read secrets in ${namespace}`, !(await mayRead(provers, one, namespace)))
    }
  }
  return wrong
}

const WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"

/** A webhook that nobody answers stops its owner's own objects and no others'. */
export const webhooks: Scene = async ({ platform, self, victim }) => {
  const wrong: Array<string> = []
  const hook = await post(self, WEBHOOKS, {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "greedy" },
    webhooks: [
      {
        name: "greedy.of.example",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Fail",
        timeoutSeconds: 1,
        clientConfig: { service: { namespace: LAIR, name: "none", path: "/" } },
        rules: [
          { apiGroups: ["*"], apiVersions: ["*"], operations: ["CREATE"], resources: ["configmaps", "namespaces"] }
        ]
      }
    ]
  })
  check(wrong, "a webhook of its own", hook.code === 201, hook)
  const spare = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "hooked" } }
  const path = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`
  let last: Reply | undefined
  await until("the webhook's effect on its owner", async () => {
    last = await post(self, path(LAIR), spare)
    return last.code >= 400 && last.body.toString().includes("webhook")
  }).catch(() => check(wrong, "its own objects are not held up, so that nothing is proved", false, last))
  const others = [
    ["the victim's", await post(victim, path(VAULT), spare)],
    ["the platform's", await post(platform, path("default"), spare)],
    [
      "a namespace of the victim's",
      await post(victim, "/api/v1/namespaces?dryRun=All", {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: "hooked" }
      })
    ]
  ] as const
  for (const [whose, reply] of others) check(wrong, `${whose} is held up`, reply.code === 201, reply)
  const gone = await self.ask(`${WEBHOOKS}/greedy`, { method: "DELETE" })
  check(wrong, "it cannot be deleted again", gone.code === 200, gone)
  return wrong
}

const tokenOf = (reply: Reply): string => {
  const { metadata } = JSON.parse(reply.body.toString()) as { readonly metadata?: { readonly continue?: string } }
  return metadata?.continue ?? ""
}

/** Continue tokens are good for whom they were given to, unchanged, for the same list. */
export const tokens: Scene = async ({ platform, self, victim }) => {
  const wrong: Array<string> = []
  const list = "/api/v1/configmaps?limit=1"
  const next = (token: string, path = list): string => `${path}&continue=${encodeURIComponent(token)}`
  const [own, theirs, upstream] = [
    tokenOf(await self.ask(list)),
    tokenOf(await victim.ask(list)),
    tokenOf(await platform.ask(list))
  ]
  for (const [whose, token, who] of [
    ["its own", own, self],
    ["the victim's", theirs, victim],
    ["upstream's", upstream, platform]
  ] as const) {
    const reply = await who.ask(next(token))
    check(wrong, `${whose} token is good for its owner`, token !== "" && reply.code === 200, reply)
  }
  const forged = Buffer.from(
    JSON.stringify({ v: "meta.k8s.io/v1", rv: -1, start: `${VAULT_UPSTREAM}/${VICTIM_MARK}\0` })
  )
  const tampered = `${own.slice(0, -4)}${own.endsWith("AAAA") ? "BBBB" : "AAAA"}`
  for (const [what, token, path] of [
    ["the victim's token", theirs, list],
    ["upstream's token", upstream, list],
    ["a forged one", forged.toString("base64url"), list],
    ["its own, changed", tampered, list],
    ["its own, of another kind", own, "/api/v1/secrets?limit=1"],
    ["its own, for one namespace", own, `/api/v1/namespaces/${LAIR}/configmaps?limit=1`]
  ] as const) {
    const reply = await self.ask(next(token, path))
    check(wrong, `${what} is taken`, reply.code === 400 || reply.code === 410, reply)
    check(wrong, `${what} brings foreign bytes`, !reply.body.toString().includes(VICTIM_MARK), reply)
  }
  return wrong
}
