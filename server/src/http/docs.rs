//! The API's description as a page: plain HTML that is made once, without a script.

use leptos::prelude::*;
use serde_json::Value;

const STYLE: &str = "
:root { color-scheme: light dark; --line: light-dark(#d9dce1, #33383f); --soft: light-dark(#5b6470, #98a1ad);
        --raised: light-dark(#f5f6f8, #1b1f24); --accent: light-dark(#0b62c4, #6cb0ff) }
body { font: 15px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 6rem }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.2rem; margin: 3rem 0 .5rem } h3 { font-size: 1rem; margin: 0 }
a { color: var(--accent); text-decoration: none } a:hover { text-decoration: underline }
code, h3 { font-family: ui-monospace, monospace; font-size: .9rem }
section { border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1.1rem; margin: .8rem 0 }
section:target { border-color: var(--accent) }
p { margin: .4rem 0; white-space: pre-line } .soft { color: var(--soft) }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 0 } caption { text-align: left; color: var(--soft) }
td { border-top: 1px solid var(--line); padding: .35rem .8rem .35rem 0; vertical-align: top; overflow-wrap: anywhere }
td:first-child { width: 30% } td:nth-child(2) { width: 25% }
nav { columns: 18rem; margin: 1.5rem 0; padding: 1rem 1.1rem; background: var(--raised); border-radius: 8px }
nav a { display: block; font-family: ui-monospace, monospace; font-size: .85rem; padding: .1rem 0 }
";

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// One method of one path.
struct Operation<'a> {
    method: &'static str,
    path: &'a str,
    about: &'a Value,
}

impl Operation<'_> {
    fn heading(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    fn anchor(&self) -> String {
        format!("{}{}", self.method, self.path.replace(['/', '{', '}'], "-"))
    }

    fn is_of(&self, tag: &str) -> bool {
        items(&self.about["tags"]).iter().any(|found| found == tag)
    }
}

/// The page for an OpenAPI document.
pub(super) fn page(document: &Value) -> String {
    let operations: Vec<Operation<'_>> = entries(&document["paths"])
        .flat_map(|(path, methods)| {
            METHODS
                .iter()
                .filter_map(move |method| Some(Operation { method, path, about: methods.get(*method)? }))
        })
        .collect();
    let tags = items(&document["tags"]).iter().map(|tag| {
        let of_tag: Vec<&Operation<'_>> =
            operations.iter().filter(|operation| operation.is_of(text(&tag["name"]))).collect();
        view! {
            <h2>{text(&tag["description"]).to_owned()}</h2>
            {of_tag.into_iter().map(operation).collect_view()}
        }
    });
    let schemas = entries(&document["components"]["schemas"]).map(|(name, about)| schema(name, about));
    let html = view! {
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <title>"The API of Millrace"</title>
                <style>{STYLE}</style>
            </head>
            <body>
                <h1>"The API of Millrace"</h1>
                <p>{text(&document["info"]["description"]).to_owned()}</p>
                <p class="soft">
                    "The same for programs: " <a href="/api/openapi.json">"openapi.json"</a> " (OpenAPI 3.1). " <a href="/">"Back to the board"</a>
                </p>
                <nav aria-label="Routes">
                    {operations.iter().map(|operation| view! {
                        <a href=format!("#{}", operation.anchor())>{operation.heading()}</a>
                    }).collect_view()}
                </nav>
                {tags.collect_view()}
                <h2>"Types"</h2>
                {schemas.collect_view()}
            </body>
        </html>
    };
    format!("<!DOCTYPE html>{}", html.to_html())
}

fn operation(operation: &Operation<'_>) -> impl IntoView + use<> {
    let about = operation.about;
    let parameters: Vec<_> = items(&about["parameters"])
        .iter()
        .map(|parameter| {
            row(text(&parameter["name"]), kind(&parameter["schema"]), text(&parameter["description"]))
        })
        .collect();
    let body = &about["requestBody"]["content"];
    let responses = entries(&about["responses"]).map(|(status, response)| {
        let status = if status == "default" { "otherwise" } else { status };
        row(status, contents(&response["content"]), text(&response["description"]))
    });
    view! {
        <section id=operation.anchor()>
            <h3>{operation.heading()}</h3>
            <p>{text(&about["summary"]).to_owned()}</p>
            <p class="soft">{text(&about["description"]).to_owned()}</p>
            {(!parameters.is_empty()).then(|| view! { <table><caption>"Parameters"</caption><tbody>{parameters}</tbody></table> })}
            {(!body.is_null()).then(|| view! { <p><span class="soft">"Body: "</span><code>{contents(body)}</code></p> })}
            <table><caption>"Answers"</caption><tbody>{responses.collect_view()}</tbody></table>
        </section>
    }
}

fn schema(name: &str, about: &Value) -> impl IntoView + use<> {
    let parts = items(&about["allOf"]);
    let own = std::iter::once(about).chain(parts);
    let fields = own.flat_map(|part| entries(&part["properties"]));
    let rows =
        fields.map(|(field, about)| row(field, kind(about), text(&about["description"]))).collect_view();
    let whole = parts.iter().filter(|part| part.get("$ref").is_some()).map(kind);
    let alone = about.get("properties").is_none() && parts.is_empty();
    view! {
        <section id=format!("type-{name}")>
            <h3>{name.to_owned()}</h3>
            <p>{text(&about["description"]).to_owned()}</p>
            {alone.then(|| view! { <p><code>{kind(about)}</code></p> })}
            {whole.map(|whole| view! { <p><span class="soft">"All of "</span><code>{whole}</code>", and:"</p> }).collect_view()}
            <table><tbody>{rows}</tbody></table>
        </section>
    }
}

fn row(name: &str, kind: AnyView, about: &str) -> impl IntoView + use<> {
    view! { <tr><td><code>{name.to_owned()}</code></td><td><code>{kind}</code></td><td>{about.to_owned()}</td></tr> }
}

/// The types of a body, by media type.
fn contents(content: &Value) -> AnyView {
    let bodies = entries(content).map(|(media, body)| match body.get("schema") {
        Some(schema) if media.ends_with("json") => kind(schema),
        _ => media.to_owned().into_any(),
    });
    joined(bodies.collect())
}

/// The name of a type, in words; our own types lead to where they are described.
fn kind(schema: &Value) -> AnyView {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return view! { <a href=format!("#type-{name}")>{name.to_owned()}</a> }.into_any();
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[choice].as_array() {
            return joined(choices.iter().filter(|choice| choice["type"] != "null").map(kind).collect());
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(text).collect::<Vec<_>>().join(" | ").into_any();
    }
    let types = &schema["type"];
    let name =
        types.as_str().or_else(|| items(types).iter().filter_map(Value::as_str).find(|name| *name != "null"));
    match name {
        Some("array") => view! { "list of " {kind(&schema["items"])} }.into_any(),
        name => name.unwrap_or("anything").to_owned().into_any(),
    }
}

fn joined(parts: Vec<AnyView>) -> AnyView {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return "nothing".into_any() };
    view! { {first}{parts.map(|part| view! { " or " {part} }).collect_view()} }.into_any()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}
