// The page's files, as they were when the program was built.

#ifndef STUDIO_PAGE_HPP
#define STUDIO_PAGE_HPP

#include <string>
#include <vector>

namespace studio {

struct page_file {
    std::string path, type, content;
};

const std::vector<page_file> &page_files();

} // namespace studio

#endif
