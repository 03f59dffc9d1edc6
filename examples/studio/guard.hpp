// Who may call.
//
// The program listens on the loopback address, where every page that the user's browser has open can reach it. A page of
// another site gives itself away: by its name in Host, when its name was made to lead here (DNS rebinding), by Origin
// when it posts, and by Sec-Fetch-Site.

#ifndef STUDIO_GUARD_HPP
#define STUDIO_GUARD_HPP

#include <httplib.h>

#include <optional>
#include <string>

namespace studio {

class guard {
public:
    explicit guard(int port = 0) : port_(std::to_string(port)) {}

    /// Why a request is refused; nothing when it is not.
    std::optional<std::string> refusal(const httplib::Request &request) const
    {
        const std::string host = request.get_header_value("Host");
        if (request.get_header_value_count("Host") != 1 || (host != "127.0.0.1:" + port_ && host != "localhost:" + port_))
            return "header Host: expected 127.0.0.1:" + port_ + ", found \"" + host + '"';
        const std::string origin = request.get_header_value("Origin");
        const bool reads = request.method == "GET" || request.method == "HEAD";
        if ((!reads || request.has_header("Origin")) && origin != "http://" + host)
            return "header Origin: expected http://" + host + ", found \"" + origin + '"';
        const std::string site = request.get_header_value("Sec-Fetch-Site");
        const bool link = reads && request.path == "/"; // a link to the page may be anywhere
        if (!link && !site.empty() && site != "same-origin" && site != "none")
            return "header Sec-Fetch-Site: expected same-origin, found \"" + site + '"';
        return std::nullopt;
    }

private:
    std::string port_;
};

} // namespace studio

#endif
