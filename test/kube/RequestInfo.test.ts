// Requests as kube-apiserver resolves them: a table to read, and the real resolver's answers to random paths.
import { assert, describe, it } from "vitest"
import { requestInfo, type RequestInfo, RequestInfoInvalid } from "#kube"
import { golden } from "./Golden.ts"

const resolve = (line: string): string => {
  const [method = "", target = ""] = line.split(" ")
  const info = requestInfo(method, target)
  if (info instanceof RequestInfoInvalid) return `invalid: ${info.message}`
  if (!info.isResourceRequest) return `${info.verb} ${info.path}`
  const { apiGroup, apiVersion, name, namespace, resource, subresource, verb } = info
  return [verb, apiGroup, apiVersion, namespace, resource, subresource, name].map((part) => part || "-").join(" ")
}

// verb group version namespace resource subresource name
const table: Record<string, string> = {
  "GET /": "get /",
  "GET /healthz": "get /healthz",
  "GET /api": "get /api",
  "GET /api/v1": "get /api/v1",
  "GET /apis/apps/v1": "get /apis/apps/v1",
  "POST /version": "post /version",
  "GET /api/v1/namespaces": "list - v1 - namespaces - -",
  "GET /api/v1/namespaces/other": "get - v1 other namespaces - other",
  "PUT /api/v1/namespaces/other/finalize": "update - v1 other namespaces finalize other",
  "GET /api/v1/namespaces/other/status": "get - v1 other namespaces status other",
  "GET /api/v1/namespaces/other/pods": "list - v1 other pods - -",
  "GET /api/v1/namespaces/other/pods/foo": "get - v1 other pods - foo",
  "HEAD /api/v1/namespaces/other/pods/foo": "get - v1 other pods - foo",
  "GET /api/v1/pods": "list - v1 - pods - -",
  "GET /api/v1/pods?watch=true": "watch - v1 - pods - -",
  "GET /api/v1/pods?watch=0": "list - v1 - pods - -",
  "GET /api/v1/pods?watch": "watch - v1 - pods - -",
  "GET /api/v1/nodes?fieldSelector=metadata.name%3Dn1&watch=1": "watch - v1 - nodes - n1",
  "GET /api/v1/nodes?fieldSelector=metadata.name%3Dn1&limit=x": "list - v1 - nodes - -",
  "GET /api/v1/nodes?fieldSelector=metadata.name%3Da%252Fb": "list - v1 - nodes - -",
  "GET /apis/apps/v1/namespaces/a/deployments/d/scale": "get apps v1 a deployments scale d",
  "PATCH /apis/apps/v1/namespaces/a/deployments/d/status": "patch apps v1 a deployments status d",
  "POST /api/v1/namespaces/a/pods": "create - v1 a pods - -",
  "POST /api/v1/namespaces/a/pods/p/binding": "create - v1 a pods binding p",
  "DELETE /api/v1/namespaces/a/pods": "deletecollection - v1 a pods - -",
  "DELETE /api/v1/namespaces/a/pods/p": "delete - v1 a pods - p",
  "GET /api/v1/namespaces/a/services/s:http/proxy/x/y": "get - v1 a services proxy s:http",
  "GET /api/v1/watch/pods": "watch - v1 - pods - -",
  "GET /api/v1/watch/namespaces/a/pods/p": "watch - v1 a pods - p",
  "GET /api/v1/proxy/namespaces/a/pods/p/log": "proxy - v1 a pods - p",
  "GET /api/v1/watch": "invalid: unable to determine kind and namespace from url, /api/v1/watch",
  "OPTIONS /api/v1/namespaces/a/pods/p": "- - v1 a pods - p",
  "GET //api/v1/pods/": "list - v1 - pods - -"
}

describe("RequestInfo", () => {
  it.each(Object.entries(table))("%s", (line, expected) => {
    assert.strictEqual(resolve(line), expected)
  })

  it("answers what kube-apiserver's resolver answers", () => {
    for (const { method, target, want } of golden.RequestInfo) {
      const info = requestInfo(method, target)
      if (info instanceof RequestInfoInvalid) {
        assert.strictEqual(info.message, want.err, target)
        continue
      }
      const expected: RequestInfo = {
        isResourceRequest: want["IsResourceRequest"] as boolean,
        path: want["Path"] as string,
        verb: want["Verb"] as string,
        apiPrefix: want["APIPrefix"] as string,
        apiGroup: want["APIGroup"] as string,
        apiVersion: want["APIVersion"] as string,
        namespace: want["Namespace"] as string,
        resource: want["Resource"] as string,
        subresource: want["Subresource"] as string,
        name: want["Name"] as string,
        parts: (want["Parts"] ?? []) as ReadonlyArray<string>,
        fieldSelector: want["FieldSelector"] as string,
        labelSelector: want["LabelSelector"] as string
      }
      assert.deepStrictEqual(info, expected, `${method} ${target}`)
    }
  })
})
