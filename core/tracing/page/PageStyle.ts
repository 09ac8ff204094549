// The pages' style: light and dark by the reader's setting, narrow and wide, and on paper.
// Owns colours (all pairs of text and ground at least 4.5 to 1) and places; refuses fonts and pictures, which would be loaded.

export const pageStyle = `
:root{--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d0d7de;--soft:#f6f8fa;--link:#0550ae;--bad:#b42318;--badbg:#fff1f0;--good:#116329;--goodbg:#eafbee;--bar:#4a7ebb;--mark:#9a6700;--focus:#0550ae}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9aa4af;--line:#30363d;--soft:#161b22;--link:#79c0ff;--bad:#ff8f85;--badbg:#2b1517;--good:#7ee2a0;--goodbg:#10251a;--bar:#5b8fd0;--mark:#e3b341;--focus:#79c0ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
header{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;align-items:end;padding:.75rem 1.25rem;border-bottom:1px solid var(--line);background:var(--soft)}
.home{font-weight:650;font-size:1.05rem;text-decoration:none;color:var(--fg);padding:.35rem 0}
form{display:flex;flex-wrap:wrap;gap:.5rem .75rem;align-items:end}
label{display:grid;font-size:.8rem;color:var(--dim)}
input,select,button{font:inherit;color:var(--fg);background:var(--bg);border:1px solid var(--line);border-radius:6px;padding:.3rem .5rem}
input[name=what]{width:min(22rem,80vw)}
button{background:var(--link);color:var(--bg);border-color:var(--link);cursor:pointer;font-weight:600}
main{padding:1rem 1.25rem 3rem;max-width:1500px;margin:auto;outline:none}
footer{padding:.75rem 1.25rem;color:var(--dim);border-top:1px solid var(--line);font-size:.85rem}
h1{font-size:1.4rem;margin:.25rem 0 .75rem;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:1.5rem 0 .5rem}
a{color:var(--link)}
:focus-visible{outline:2px solid var(--focus);outline-offset:2px;border-radius:4px}
.skip{position:absolute;left:-999px}.skip:focus{left:1rem;top:.5rem;background:var(--bg);padding:.5rem;z-index:2}
.dim{color:var(--dim)}
kbd,code,pre{font:13px/1.45 ui-monospace,monospace}
kbd{border:1px solid var(--line);border-radius:4px;padding:0 .3rem;background:var(--soft)}
.answers{list-style:none;margin:0;padding:0;display:grid;gap:.5rem}
.answers>li{border:1px solid var(--bad);border-left-width:5px;background:var(--badbg);border-radius:6px;padding:.6rem .8rem;overflow-wrap:anywhere}
.answers .kind{color:var(--bad);font-weight:650}
.answers small{display:block;margin-top:.25rem}
.well{border:1px solid var(--good);border-left-width:5px;background:var(--goodbg);border-radius:6px;padding:.6rem .8rem;margin:0}
.tree,.tree ul{list-style:none;margin:0;padding:0}
.tree ul{padding-left:1.1rem;border-left:1px solid var(--line);margin-left:.35rem}
.tree li{margin:.1rem 0}
summary,.leaf{display:grid;grid-template-columns:minmax(14rem,1fr) minmax(10rem,2fr) 11rem;gap:.75rem;align-items:center;padding:.15rem .4rem;border-radius:4px}
summary{cursor:pointer}
summary:hover,.leaf:hover{background:var(--soft)}
summary::before{content:none}
.name{overflow-wrap:anywhere}
details>summary .name::before{content:"\\25B8  ";color:var(--dim)}
details[open]>summary .name::before{content:"\\25BE  "}
.service{color:var(--dim);font-size:.85rem;margin-right:.35rem}
.bad{color:var(--bad);font-weight:600}
.bar{width:100%;height:14px;display:block;background:var(--soft);border-radius:3px}
.bar .r{fill:var(--bar)}.bar .t{fill:var(--mark)}.bad .bar .r,.bar .f{fill:var(--bad)}
time{font-variant-numeric:tabular-nums;white-space:nowrap;color:var(--dim);font-size:.85rem}
.logs{list-style:none;margin:.25rem 0 .5rem;padding:0 0 0 1.1rem}
.logs>li{display:grid;grid-template-columns:7.5rem minmax(0,1fr);gap:.75rem;padding:.3rem 0;border-top:1px solid var(--line)}
.logs p{margin:0;overflow-wrap:anywhere}
.facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:0 .75rem;margin:.25rem 0;font-size:.85rem}
.facts dt{color:var(--dim)}.facts dd{margin:0;overflow-wrap:anywhere}
.diff{margin:.25rem 0;overflow-x:auto;max-height:22rem}
.diff div{white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.5 ui-monospace,monospace}
del,ins{text-decoration:none;padding:0 .15rem;border-radius:3px}
del{background:var(--badbg);color:var(--bad)}del::before{content:"\\2212 "}
ins{background:var(--goodbg);color:var(--good)}ins::before{content:"+ "}
pre{white-space:pre-wrap;overflow-wrap:anywhere;max-height:22rem;overflow:auto;background:var(--soft);padding:.5rem;border-radius:6px;margin:.25rem 0}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th{color:var(--dim);font-weight:600;font-size:.85rem}
.scroll{overflow-x:auto}
:target>details>summary,:target>.leaf{background:var(--goodbg);outline:2px solid var(--good)}
@media (max-width:800px){summary,.leaf{grid-template-columns:1fr}.bar{height:8px}.logs>li{grid-template-columns:1fr;gap:0}}
@media print{header form,footer{display:none}.diff,pre{max-height:none}}
`
