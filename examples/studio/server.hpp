// The page and its calls, over HTTP on the loopback address.
//
//     GET  /                 the page and its files
//     GET  /events           what goes on, as server-sent events
//     GET  /digit?image=N    a test digit
//     GET  /export?format=F  the model as a file: c, onnx, keras, weights or model
//     POST /ask              a picture: what the weights of this moment say of it; null without ink
//     POST /teach?label=N    a picture, and what it was
//     POST /check            a network (network.hpp): its shapes and parameters, or what is wrong with it
//     POST /train            a network, which is trained from now on
//     POST /pause /resume /stop /train-on /start-over
//
// A picture is 28 x 28 bytes, as the network sees it, or a drawing of 140 x 140 bytes, black on white or white on black.
// Whatever else comes is answered 400, and a body of more than that 413.

#ifndef STUDIO_SERVER_HPP
#define STUDIO_SERVER_HPP

#include "board.hpp"
#include "trainer.hpp"

#include <httplib.h>

#include <atomic>
#include <functional>
#include <string>

namespace studio {

class server {
public:
    /// Both must live longer.
    server(trainer &trainer, const board &board);

    /// Takes a port of 127.0.0.1, any free one for 0, and returns it. Throws std::runtime_error when it is taken.
    int bind(int port);

    /// Answers until stop() is called from another thread and the board is closed.
    void listen();

    void stop() { http_.stop(); }

private:
    using handler = std::function<void(const httplib::Request &, const std::string &body, httplib::Response &)>;

    void get(const std::string &path, handler reply);
    void post(const std::string &path, handler reply);

    void events(const httplib::Request &request, const std::string &body, httplib::Response &response);
    void digit(const httplib::Request &request, const std::string &body, httplib::Response &response);
    void export_model(const httplib::Request &request, const std::string &body, httplib::Response &response);
    void check(const httplib::Request &request, const std::string &body, httplib::Response &response);
    void train(const httplib::Request &request, const std::string &body, httplib::Response &response);
    void ask(const httplib::Request &request, const std::string &body, httplib::Response &response);
    void teach(const httplib::Request &request, const std::string &body, httplib::Response &response);

    trainer &trainer_;
    const board &board_;
    std::atomic<int> listeners_{0};
    httplib::Server http_;
};

} // namespace studio

#endif
