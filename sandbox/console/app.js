// The console of the first release: executions of a project and domain, and one execution with its nodes, inputs, outputs and
// error, over the REST API. Everything shown is set as text, never as markup.

const page = document.getElementById("page");
const scope = document.getElementById("scope");
const refreshMilliseconds = 2000;
let timer;

function element(name, properties = {}, ...children) {
	const node = Object.assign(document.createElement(name), properties);
	node.append(...children.filter((child) => child !== null && child !== undefined));
	return node;
}

async function get(path) {
	const response = await fetch(`/api/v1/${path}`, { headers: { Accept: "application/json" } });
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
	return seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

function table(heads, rows) {
	const head = element("tr", {}, ...heads.map((text) => element("th", { textContent: text })));
	const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) =>
		cell instanceof HTMLTableCellElement ? cell : element("td", {}, cell))));
	return element("div", { className: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

// A literal as a person would write it.
function plain(literal) {
	if (!literal) return null;
	if (literal.collection) return (literal.collection.literals || []).map(plain);
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
	const choose = (values, current, to) => {
		const select = element("select", { onchange: () => go(to(select.value)) },
			...values.map((value) => element("option", { value, textContent: value, selected: value === current })));
		return select;
	};
	const domains = (projects.find((p) => p.id === project) || {}).domains || [];
	scope.replaceChildren(
		choose(projects.map((p) => p.id), project, (p) => `/console/projects/${p}/domains/${domain}/executions`), " ",
		choose(domains.map((d) => d.id), domain, (d) => `/console/projects/${project}/domains/${d}/executions`));
}

async function showExecutions(project, domain) {
	const { executions = [] } = await get(
		`executions/${project}/${domain}?limit=50&sort_by.key=created_at&sort_by.direction=DESCENDING`);
	const rows = executions.map((execution) => {
		const { id, closure = {} } = execution;
		return [
			element("a", { href: `/console/projects/${id.project}/domains/${id.domain}/executions/${id.name}`, textContent: id.name }),
			(closure.workflow_id || {}).name || "", phase(closure.phase), time(closure.created_at), duration(closure.duration)];
	});
	page.replaceChildren(
		element("h1", { textContent: "Executions" }),
		rows.length ? table(["Name", "Workflow", "Phase", "Created", "Duration"], rows)
			: element("p", { className: "quiet", textContent: "Nothing has run here yet: pyflyte run --remote FILE WORKFLOW" }));
	return executions.some((execution) => !finished(execution.closure));
}

const finished = (closure) => ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"].includes((closure || {}).phase);

async function showExecution(project, domain, name) {
	const id = `${project}/${domain}/${name}`;
	const [execution, data, nodes] = await Promise.all([
		get(`executions/${id}`), get(`data/executions/${id}`),
		get(`node_executions/${id}?limit=100&sort_by.key=created_at&sort_by.direction=ASCENDING`)]);
	const closure = execution.closure || {};
	const states = nodes.node_executions || [];
	const failed = states.some((node) => node.closure?.error);
	const rows = states.map((node) => {
		const state = node.closure || {};
		const cells = [node.metadata?.spec_node_id || node.id.node_id, phase(state.phase), time(state.started_at), duration(state.duration)];
		return failed ? [...cells, element("td", { className: "wide", textContent: state.error?.message || "" })] : cells;
	});
	const error = closure.error?.message || (closure.abort_metadata && `aborted: ${closure.abort_metadata.cause}`);
	page.replaceChildren(
		element("h1", { textContent: name }),
		element("p", {}, phase(closure.phase), ` ${(closure.workflow_id || {}).name || ""} `,
			element("span", { className: "quiet", textContent: `${time(closure.created_at)} · ${duration(closure.duration)}` })),
		...(error ? [element("h2", { textContent: "Error" }), element("pre", { textContent: error })] : []),
		element("h2", { textContent: "Nodes" }), table(["Node", "Phase", "Started", "Duration", ...(failed ? ["Error"] : [])], rows),
		element("h2", { textContent: "Inputs" }), literals(data.full_inputs),
		element("h2", { textContent: "Outputs" }), literals(data.full_outputs));
	return !finished(closure);
}

function go(path) {
	history.pushState(null, "", path);
	show();
}

async function show() {
	clearTimeout(timer);
	const match = location.pathname.match(/^\/console\/projects\/([^/]+)\/domains\/([^/]+)\/executions(?:\/([^/]+))?\/?$/);
	const [project, domain, name] = match ? match.slice(1).map((part) => part && decodeURIComponent(part)) : ["flytesnacks", "development"];
	try {
		const [, live] = await Promise.all([
			showScope(project, domain), name ? showExecution(project, domain, name) : showExecutions(project, domain)]);
		if (live || !name) timer = setTimeout(show, refreshMilliseconds);
	} catch (problem) {
		page.replaceChildren(element("h1", { textContent: "This can't be shown" }), element("pre", { textContent: problem.message }));
		timer = setTimeout(show, refreshMilliseconds);
	}
}

addEventListener("popstate", show);
document.addEventListener("click", (event) => {
	const link = event.target.closest("a[href^='/console/']");
	if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
	event.preventDefault();
	go(link.getAttribute("href"));
});
show();
