// The console of the first release: executions of a project and domain, and one execution with its nodes, inputs, outputs and
// error, over the REST API. Everything shown is set as text, never as markup.

const page = document.getElementById("page");
const scope = document.getElementById("scope");
const refreshMilliseconds = 2000;
const pageSize = 50;
const problemsAsked = 10;
let timer;
let shown = 0; // counts what was asked for: an answer that comes after the next question is dropped

function element(name, properties = {}, ...children) {
	const node = Object.assign(document.createElement(name), properties);
	node.append(...children.filter((child) => child !== null && child !== undefined));
	return node;
}

// Puts `content` in place, unless that is what is there: whoever chooses, selects text or is on a link with the keyboard is not disturbed.
function fill(place, ...content) {
	const fresh = place.cloneNode(false);
	fresh.append(...content);
	if (fresh.isEqualNode(place)) return;
	const focused = place.contains(document.activeElement) ? document.activeElement : null;
	place.replaceChildren(...fresh.childNodes);
	if (focused) [...place.querySelectorAll("a, select")].find((other) => keyOf(other) === keyOf(focused))?.focus();
}

const keyOf = (node) => node.getAttribute("href") || node.getAttribute("aria-label");

const pathOf = (project, domain, name) => `/console/projects/${encodeURIComponent(project)}/domains/${encodeURIComponent(domain)}/executions` +
	(name ? `/${encodeURIComponent(name)}` : "");

async function get(path) {
	const response = await fetch(`/api/v1/${path}`, { headers: { Accept: "application/json" } })
		.catch((problem) => { throw new Error(`The sandbox does not answer (${problem.message}). Does it run? \`sandbox status\` tells.`); });
	const body = await response.json().catch(() => ({}));
	if (!response.ok) throw new Error(body.message || `${response.status} ${response.statusText}`);
	return body;
}

const phase = (name) => element("span", { className: `phase ${name}`, textContent: name || "UNDEFINED" });

function time(text) {
	return text ? new Date(text).toLocaleString() : "";
}

function duration(text) {
	const seconds = parseFloat(text || "");
	if (Number.isNaN(seconds)) return "";
	const whole = Math.round(seconds);
	return seconds < 59.95 ? `${seconds.toFixed(1)} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

function table(heads, rows) {
	const head = element("tr", {}, ...heads.map((text) => element("th", { textContent: text, scope: "col" })));
	const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) =>
		cell instanceof HTMLTableCellElement ? cell : element("td", {}, cell))));
	return element("div", { className: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

// A literal as a person would write it.
function plain(literal) {
	if (!literal) return null;
	if (literal.collection) return (literal.collection.literals || []).map(plain);
	if (literal.offloaded_metadata) return literal.offloaded_metadata.uri;
	if (literal.map) return Object.fromEntries(Object.entries(literal.map.literals || {}).map(([k, v]) => [k, plain(v)]));
	const scalar = literal.scalar || {};
	if (scalar.primitive) {
		const [kind, value] = Object.entries(scalar.primitive).find(([, v]) => v !== null && v !== undefined) || [];
		// JSON carries 64-bit integers as strings; those that a browser can hold are shown as numbers.
		return kind === "integer" && Number.isSafeInteger(Number(value)) ? Number(value) : value ?? null;
	}
	if (scalar.blob) return scalar.blob.uri;
	if (scalar.structured_dataset) return scalar.structured_dataset.uri;
	if (scalar.union) return plain(scalar.union.value);
	if (scalar.none_type) return null;
	return scalar.generic ?? scalar;
}

function literals(map) {
	const values = Object.entries((map && map.literals) || {});
	if (!values.length) return element("p", { className: "quiet", textContent: "none" });
	return element("pre", { textContent: JSON.stringify(Object.fromEntries(values.map(([k, v]) => [k, plain(v)])), null, 2) });
}

async function showScope(project, domain) {
	const { projects = [] } = await get("projects?limit=100");
	// What the address names is there to be seen, also when it is no project (any more).
	const choose = (label, values, current, to) => {
		const list = values.includes(current) ? values : [...values, current];
		const options = list.map((value) => element("option", { value, textContent: value, defaultSelected: value === current }));
		const select = element("select", { onchange: () => go(to(select.value)) }, ...options);
		select.setAttribute("aria-label", label);
		return select;
	};
	const domains = (projects.find((p) => p.id === project) || {}).domains || [];
	return () => fill(scope,
		choose("Project", projects.map((p) => p.id), project, (p) => pathOf(p, domain)), " ",
		choose("Domain", domains.map((d) => d.id), domain, (d) => pathOf(project, d)));
}

async function showExecutions(project, domain) {
	const token = new URLSearchParams(location.search).get("token") || "";
	const { executions = [], token: next } = await get(`executions/${encodeURIComponent(project)}/${encodeURIComponent(domain)}` +
		`?limit=${pageSize}&token=${encodeURIComponent(token)}&sort_by.key=created_at&sort_by.direction=DESCENDING`);
	const rows = executions.map((execution) => {
		const { id, closure = {} } = execution;
		return [
			element("a", { href: pathOf(id.project, id.domain, id.name), textContent: id.name }),
			(closure.workflow_id || {}).name || "", phase(closure.phase), time(closure.created_at), duration(closure.duration)];
	});
	const nothing = token ? [element("p", { className: "quiet", textContent: "There are no older ones." })] : [
		element("p", { className: "quiet", textContent: "Nothing has run here yet. In a shell:" }),
		element("pre", { textContent: `eval "$(sandbox env)"\npyflyte run --remote --project ${project} --domain ${domain} FILE.py WORKFLOW` })];
	return {
		title: `Executions in ${project}/${domain}`,
		live: true,
		content: [
			element("h1", { textContent: "Executions" }),
			...(rows.length ? [table(["Name", "Workflow", "Phase", "Created", "Duration"], rows)] : nothing),
			element("p", {},
				token ? element("a", { href: pathOf(project, domain), textContent: "Newest" }) : null, token && next ? " · " : null,
				next ? element("a", { href: `${pathOf(project, domain)}?token=${encodeURIComponent(next)}`, textContent: "Older" }) : null)],
	};
}

const finished = (closure) => ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"].includes((closure || {}).phase);

// Lists have only the beginning of a message, which of flytekit's is that of a stack.
async function problemsOf(execution, nodes) {
	const whole = await Promise.all(nodes.slice(0, problemsAsked).map((node) => get(`node_executions/${execution}/${encodeURIComponent(node.id.node_id)}`)));
	return new Map(nodes.map((node, i) => [node, ((whole[i] || node).closure.error?.message || "").split(/^Message:\n/m).at(-1).trim()]));
}

// The newest attempt of each node's task: why it waits, and its pod. Nodes without a task, and what cannot be had, have none.
async function attemptsOf(execution, nodes) {
	const lists = await Promise.all(nodes.slice(0, problemsAsked).map((node) =>
		get(`task_executions/${execution}/${encodeURIComponent(node.id.node_id)}?limit=1&sort_by.key=created_at&sort_by.direction=DESCENDING`).catch(() => ({}))));
	return new Map(nodes.map((node, i) => [node, lists[i]?.task_executions?.[0]?.closure]));
}

// What is to be said of a node: what went wrong, or what it waits for; and where its log is, which somebody who looks into one of them asks next.
function remark(namespace, node, problem, attempt) {
	const pod = attempt?.task_type === "container_array" ? "" : attempt?.metadata?.generated_name;
	// The reason of one that runs is still what it waited for last.
	const text = problem || (finished(node.closure) || attempt?.phase === "RUNNING" ? "" : attempt?.reason) || "";
	return element("td", { className: "wide" }, text, text && pod ? element("br") : null,
		pod ? element("code", { className: "quiet", textContent: `kubectl logs -n ${namespace} ${pod}` }) : null);
}

async function showExecution(project, domain, name, here) {
	const id = [project, domain, name].map(encodeURIComponent).join("/");
	const [execution, data, nodes] = await Promise.all([
		get(`executions/${id}`), get(`data/executions/${id}`),
		get(`node_executions/${id}?limit=100&sort_by.key=created_at&sort_by.direction=ASCENDING`)]);
	const closure = execution.closure || {};
	const states = nodes.node_executions || [];
	const failed = states.filter((node) => node.closure?.error);
	const remarked = states.filter((node) => failed.includes(node) || (!finished(node.closure) && node.closure?.phase));
	const [problems, attempts] = await Promise.all([problemsOf(id, failed), attemptsOf(id, remarked)]);
	const rows = states.map((node) => {
		const state = node.closure || {};
		const label = node.metadata?.spec_node_id || node.id.node_id;
		// FLYTE_EXECUTION_URL names the node and its attempt.
		const asked = here && here.replace(/-\d+$/, "") === node.id.node_id;
		const cells = [asked ? element("strong", { textContent: `${label} ◂` }) : label, phase(state.phase), time(state.started_at), duration(state.duration)];
		return remarked.length ? [...cells, remark(`${project}-${domain}`, node, problems.get(node), attempts.get(node))] : cells;
	});
	const error = closure.error?.message || (closure.abort_metadata && `aborted: ${closure.abort_metadata.cause}`);
	return {
		title: `${name}: ${closure.phase || ""}`,
		live: !finished(closure),
		content: [
			element("h1", { textContent: name }),
			element("p", {}, phase(closure.phase), ` ${(closure.workflow_id || {}).name || ""} `,
				element("span", { className: "quiet", textContent: [time(closure.created_at), duration(closure.duration)].filter(Boolean).join(" · ") })),
			...(error ? [element("h2", { textContent: "Error" }), element("pre", { textContent: error })] : []),
			element("h2", { textContent: "Nodes" }), table(["Node", "Phase", "Started", "Duration", ...(remarked.length ? ["Remark"] : [])], rows),
			...(nodes.token ? [element("p", { className: "quiet", textContent: "These are the first 100." })] : []),
			element("h2", { textContent: "Inputs" }), literals(data.full_inputs),
			element("h2", { textContent: "Outputs" }), literals(data.full_outputs)],
	};
}

function go(path) {
	history.pushState(null, "", path);
	// Whoever reads with a screen reader or goes on with the keyboard is on the new page.
	page.focus();
	show();
}

// Links of Flyte's clients to other pages of a project lead to its executions.
function place() {
	const match = location.pathname.match(/^\/console\/projects\/([^/]+)(?:\/domains\/([^/]+))?(?:\/executions\/([^/]+)(?:\/nodeId\/([^/]+))?)?/);
	const [project = "flytesnacks", domain = "development", name, here] = match ? match.slice(1).map((part) => part && decodeURIComponent(part)) : [];
	return { project, domain, name, here };
}

async function show() {
	const question = ++shown;
	let again = true;
	clearTimeout(timer);
	try {
		const { project, domain, name, here } = place();
		const [showTheScope, view] = await Promise.all([
			showScope(project, domain), name ? showExecution(project, domain, name, here) : showExecutions(project, domain)]);
		if (question !== shown) return;
		showTheScope();
		fill(page, ...view.content);
		document.title = `${view.title} · Flyte sandbox`;
		again = view.live;
	} catch (problem) {
		if (question !== shown) return;
		fill(page, element("h1", { textContent: "This can't be shown" }), element("pre", { textContent: problem.message }));
	}
	if (again) timer = setTimeout(show, refreshMilliseconds);
}

addEventListener("popstate", show);
document.addEventListener("click", (event) => {
	const link = event.target.closest("a[href^='/console/']");
	if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
	event.preventDefault();
	go(link.getAttribute("href"));
});
show();
