// What kubectl does on connections that are more than a request: logs, exec, attach, port-forward, cp, over WebSocket and SPDY.
// Owns these scenes, which need a kubelet; the scenes of the API alone are beside the tour's own tests.
import type { Scene, Step } from "../apiserver/kubectl/Tour.ts"

const SPDY = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false", KUBECTL_PORT_FORWARD_WEBSOCKETS: "false" }

/** A step over the older protocol; the words in parentheses are for readers. */
const overSpdy = (step: Step): Step => ({ ...step, run: `${step.run} (SPDY)`, env: SPDY })

const both = (step: Step): ReadonlyArray<Step> => [step, overSpdy(step)]

/** Lets the container log thirty lines within three seconds. */
const SPEAK =
  "exec one -- sh -c 'for n in $(seq 30); do echo 2026-11-28T00:01:00Z stdout F spoken $n >> ../container.log; sleep 0.1; done'"

export const connected: ReadonlyArray<Scene> = [
  {
    name: "connected",
    steps: [
      { run: "run one --image=registry.example/one:1 --port=80" },
      { run: "wait pod/one --for=condition=Ready --timeout=20s" },
      "logs one",
      "logs one --tail=1",
      "logs pod/one --limit-bytes=5",
      "logs one -c one --timestamps=false --since=1h",
      "logs one -c none",
      "logs none",
      "logs -l run=one --prefix",
      { run: "logs one -f --tail=2", start: "followed" },
      { run: "logs -f (followed)", stop: "followed", until: /third line/ },
      { run: "get --raw /api/v1/namespaces/connected/pods/one/log?tailLines=2" },
      ...both({ run: "exec one -- sh -c 'echo out; echo errors >&2; exit 3'" }),
      ...both({ run: "exec -i one -- head -n 1", input: "from the client\n" }),
      ...both({ run: "exec one -- sh -c 'echo $IN'" }),
      { run: "exec one -- sh -c 'head -c 3000000 /dev/zero | wc -c'" },
      { run: "exec one -- sh -c 'yes line | head -n 40000'", last: true },
      "exec one -c none -- ls",
      "exec none -- ls",
      "exec one -- no-such-program",
      { run: "attach one", start: "attached" },
      // Until the attachment stands, what is logged passes it by; the last line is long after that.
      { run: SPEAK, quiet: true },
      { run: "attach (attached)", stop: "attached", until: /spoken 30/, only: /^spoken 30$/ },
      "attach none",
      ...both({ run: "port-forward pod/one :80", proxied: "/hello?to=pod" }),
      "port-forward none :80",
      { run: "cp data.txt one:copied.txt", files: { "data.txt": "to be copied\n" } },
      "exec one -- cat copied.txt",
      { run: "cp one:copied.txt back.txt" },
      { run: "create configmap back --from-file=back.txt --dry-run=client -o jsonpath={.data}" },
      "cp one:missing.txt back.txt",
      { run: "proxy --port=0", proxied: "/api/v1/namespaces/connected/pods/one/log?tailLines=1" },
      "delete pod one --grace-period=1 --timeout=20s",
      "logs one"
    ]
  }
]
