#include "server.hpp"
#include "formats.hpp"
#include "guard.hpp"
#include "notices.hpp"
#include "page.hpp"

#include <optional>
#include <stdexcept>

namespace studio {

namespace {

constexpr std::size_t drawing_side = 140, largest_body = drawing_side * drawing_side;
constexpr std::size_t threads = 24;
constexpr int most_listeners = 12; // each holds a thread
constexpr std::chrono::milliseconds between_events{100}, heartbeat{2000};
constexpr const char *json_type = "application/json";

/// A request that makes no sense.
struct bad_request : std::runtime_error {
    using std::runtime_error::runtime_error;
};

void fail(httplib::Response &response, int status, const std::string &text)
{
    response.status = status;
    response.set_content(failure_json(text), json_type);
}

/// Runs a handler; what it throws becomes a status and a message.
template <typename Handler> void answer_with(httplib::Response &response, Handler &&handler)
{
    try {
        handler();
    } catch (const bad_request &bad) {
        fail(response, 400, bad.what());
    } catch (const bad_network &bad) {
        fail(response, 400, (bad.layer ? "layer " + std::to_string(bad.layer) + ": " : "") + bad.what());
    } catch (const refused &no) {
        fail(response, 409, no.what());
    } catch (const mnist::error &wrong) {
        fail(response, wrong.status() == MNIST_ERROR_INVALID_ARGUMENT ? 400 : 500, wrong.what());
    } catch (const std::future_error &) {
        fail(response, 503, "training has come to its end");
    } catch (const std::exception &wrong) {
        fail(response, 500, wrong.what());
    }
}

/// The number of the query's parameter `name`, below `limit`.
std::size_t number_of(const httplib::Request &request, const std::string &name, std::size_t limit)
{
    const std::string text = request.get_param_value(name);
    const bool digits = !text.empty() && text.size() < 9 && text.find_first_not_of("0123456789") == std::string::npos;
    if (request.get_param_value_count(name) != 1 || !digits || std::stoul(text) >= limit)
        throw bad_request(name + ": expected a number below " + std::to_string(limit) + ", found \"" + text + '"');
    return std::stoul(text);
}

/// The picture in a body, a drawing brought to the form that the network knows; nothing for a drawing without ink.
std::optional<picture> picture_of(const std::string &body)
{
    picture made{};
    if (body.size() == made.size()) {
        std::copy(body.begin(), body.end(), made.begin());
        return made;
    }
    if (body.size() != largest_body)
        throw bad_request("body: expected " + std::to_string(made.size()) + " or " + std::to_string(largest_body) +
                          " bytes, found " + std::to_string(body.size()));
    try {
        const auto pixels = mnist::prepare_image({body.begin(), body.end()}, drawing_side, drawing_side, 1);
        std::transform(pixels.begin(), pixels.end(), made.begin(),
                       [](float pixel) { return static_cast<std::uint8_t>(pixel); });
        return made;
    } catch (const mnist::error &wrong) {
        if (wrong.status() == MNIST_ERROR_INVALID_ARGUMENT) // no figure in it
            return std::nullopt;
        throw;
    }
}

} // namespace

server::server(trainer &trainer, const board &board) : trainer_(trainer), board_(board)
{
    http_.new_task_queue = [] { return new httplib::ThreadPool(threads); };
    http_.set_keep_alive_max_count(1); // a connection that waits would hold a thread
    http_.set_payload_max_length(largest_body);
    http_.set_tcp_nodelay(true);
    http_.set_socket_options([](socket_t socket) { // not SO_REUSEPORT: a port that is taken is taken
        const int yes = 1;
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    http_.set_default_headers({
        {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                                    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cache-Control", "no-store"},
    });
    for (const page_file &file : page_files())
        http_.Get(file.path, [&file](const httplib::Request &, httplib::Response &response) {
            response.set_content(file.content, file.type);
        });
    const auto call = [this](void (server::*with)(const httplib::Request &, const std::string &, httplib::Response &)) {
        return [this, with](const auto &request, const auto &body, auto &response) { (this->*with)(request, body, response); };
    };
    get("/events", call(&server::events));
    get("/digit", call(&server::digit));
    get("/export", call(&server::export_model));
    post("/check", call(&server::check));
    post("/train", call(&server::train));
    post("/ask", call(&server::ask));
    post("/teach", call(&server::teach));
    const std::pair<const char *, void (trainer::*)()> commands[] = {{"/pause", &trainer::pause},
                                                                   {"/resume", &trainer::resume},
                                                                   {"/stop", &trainer::stop},
                                                                   {"/train-on", &trainer::train_on},
                                                                   {"/start-over", &trainer::start_over}};
    for (const auto &[path, command] : commands)
        post(path, [this, command = command](const httplib::Request &, const std::string &, httplib::Response &response) {
            (trainer_.*command)();
            response.status = 204;
        });
}

void server::get(const std::string &path, handler reply)
{
    http_.Get(path, [reply](const httplib::Request &request, httplib::Response &response) {
        answer_with(response, [&] { reply(request, {}, response); });
    });
}

/// A body comes piece by piece, and no more of it is kept than may be there, whatever its headers say.
void server::post(const std::string &path, handler reply)
{
    http_.Post(path, [reply](const httplib::Request &request, httplib::Response &response,
                                    const httplib::ContentReader &read) {
        std::string body;
        bool fits = true;
        const bool whole = read([&](const char *piece, std::size_t len) {
            fits = len <= largest_body - body.size();
            if (fits)
                body.append(piece, len);
            return fits;
        });
        if (!fits || response.status == 413)
            return fail(response, 413, "body: expected at most " + std::to_string(largest_body) + " bytes");
        if (!whole)
            return fail(response, 400, "body: it is not what its headers say");
        answer_with(response, [&] { reply(request, body, response); });
    });
}

int server::bind(int port)
{
    const char *host = "127.0.0.1";
    const int bound = port == 0 ? http_.bind_to_any_port(host) : http_.bind_to_port(host, port) ? port : -1;
    if (bound < 0)
        throw std::runtime_error("port " + std::to_string(port) + " is taken; --port 0 takes any that is free");
    http_.set_pre_routing_handler([checks = guard(bound)](const httplib::Request &request, httplib::Response &response) {
        const auto why = checks.refusal(request);
        if (!why)
            return httplib::Server::HandlerResponse::Unhandled;
        fail(response, 403, *why);
        return httplib::Server::HandlerResponse::Handled;
    });
    return bound;
}

void server::listen() { http_.listen_after_bind(); }

void server::events(const httplib::Request &, const std::string &, httplib::Response &response)
{
    if (++listeners_ > most_listeners) {
        listeners_--;
        return fail(response, 503, "too many pages are open");
    }
    const auto seen = std::make_shared<board::bookmark>();
    response.set_chunked_content_provider(
        "text/event-stream",
        [this, seen](std::size_t, httplib::DataSink &sink) {
            std::string text;
            for (const auto &[name, json] : board_.events(*seen, heartbeat))
                text += "event: " + name + "\ndata: " + json + "\n\n";
            if (text.empty())
                text = ":\n\n"; // tells whether the page is still there
            if (board_.closed() || !sink.write(text.data(), text.size()))
                return false;
            std::this_thread::sleep_for(between_events);
            return true;
        },
        [this](bool) { listeners_--; });
}

void server::digit(const httplib::Request &request, const std::string &, httplib::Response &response)
{
    const std::size_t image = number_of(request, "image", trainer_.test_images().size());
    response.set_content(digit_json(image, digit_of(trainer_.test_images(), image)), json_type);
}

void server::export_model(const httplib::Request &request, const std::string &, httplib::Response &response)
{
    const std::string format = request.get_param_value("format");
    const auto found = formats().find(format);
    if (found == formats().end())
        throw bad_request("format: expected c, onnx, keras, weights or model, found \"" + format + '"');
    const file_bytes bytes = found->second(*trainer_.model());
    response.set_content(reinterpret_cast<const char *>(bytes.data()), bytes.size(), "application/octet-stream");
}

/// A network that makes no sense is no failure of the request.
void server::check(const httplib::Request &, const std::string &body, httplib::Response &response)
{
    try {
        response.set_content(network_json(build(network_of(body), 0)), json_type);
    } catch (const bad_network &bad) {
        response.set_content(bad_network_json(bad), json_type);
    }
}

void server::train(const httplib::Request &, const std::string &body, httplib::Response &response)
{
    trainer_.begin(network_of(body));
    response.status = 204;
}

void server::ask(const httplib::Request &, const std::string &body, httplib::Response &response)
{
    const std::optional<picture> about = picture_of(body);
    if (!about)
        return response.set_content("null", json_type);
    const auto model = trainer_.model();
    const auto shown = first_filters(*model);
    const auto maps = shown ? maps_of(*model, *shown, *about) : std::nullopt;
    response.set_content(answer_json(studio::ask(*model, *about), *about, maps), json_type);
}

void server::teach(const httplib::Request &request, const std::string &body, httplib::Response &response)
{
    const auto label = static_cast<std::uint8_t>(number_of(request, "label", classes));
    const std::optional<picture> about = picture_of(body);
    if (!about)
        throw bad_request("body: expected a digit, found no ink");
    response.set_content(lesson_json(trainer_.teach({*about, label})), json_type);
}

} // namespace studio
